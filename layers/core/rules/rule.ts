import type { TrustRoot } from '../ports.ts'
import type { Catalog } from '../schemas/catalog.ts'
import type { Role } from '../schemas/common.ts'
import type { Finding, VALIDATORS } from '../schemas/finding.ts'
import type { ApprovalPredicate } from '../schemas/governance.ts'
import type { Plan } from '../schemas/plan.ts'
import type { GatedTransition, HashingSpec, Policy, TypeCoercionRulebook } from '../schemas/policy.ts'
import type { SignedWaiver } from '../waivers.ts'

/** Everything a validator may know besides the plan. Validators are pure: they read nothing else. */
export type Facts = {
  policy: Policy
  typeCoercion: TypeCoercionRulebook
  hashingSpec: HashingSpec
  /** What discovery read from the source; null where it is not at hand, and then a finding says that types were not compared. */
  catalog: Catalog | null
  /** Who the spec names for each role. */
  approvers: readonly { role: Role; email: string }[]
  /** The transition to judge with the approvals given so far; null before anybody was asked: then it is judged who could be. */
  gate: { transition: GatedTransition; subjectSha256: string; approvals: readonly ApprovalPredicate[] } | null
  /** The signed plan, once there is one. */
  signed: { envelope: Uint8Array; trust: TrustRoot } | null
  /** Waivers whose signatures hold; whether each counts is judged with the findings. */
  waivers?: readonly SignedWaiver[]
  now: Date
}

export type ValidatorId = (typeof VALIDATORS)[number]

export type Validator = { id: ValidatorId; run(plan: Plan, facts: Facts): Finding[] }

/** A finding's wording, made by one validator. */
export type Wording = (severity: Finding['severity'], where: string, what: string, remedy: string) => Finding

export function failing(id: ValidatorId): Wording {
  return (severity, where, what, remedy) => ({
    rule_id: id,
    verdict: 'fail',
    severity,
    what: short(what, 2000),
    where: short(where, 512),
    remedy: short(remedy, 1000),
  })
}

export function passing(id: ValidatorId, what: string): Finding {
  return { rule_id: id, verdict: 'pass', severity: 'INFO', what: short(what, 2000), where: '', remedy: '' }
}

/** True for findings that keep a plan from being signed. */
export function blocks(finding: Finding): boolean {
  return (
    finding.verdict !== 'pass' && finding.verdict !== 'not-applicable' && (finding.severity === 'CRITICAL' || finding.severity === 'ERROR')
  )
}

/** A database name inside a sentence: quoted, one line, at most 80 characters. It is a stranger's text. */
export function named(name: string): string {
  return JSON.stringify(name.length > 80 ? `${name.slice(0, 79)}…`.toWellFormed() : name.toWellFormed())
}

function short(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1).toWellFormed()}…`
}
