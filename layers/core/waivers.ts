import { digestOf } from './canonical-json.ts'
import { sha256 } from './digest.ts'
import { isWaybillError } from './errors.ts'
import type { TrustRoot } from './ports.ts'
import { roleFault } from './role-holders.ts'
import type { Finding } from './schemas/finding.ts'
import type { PlanPredicate } from './schemas/governance.ts'
import type { Policy } from './schemas/policy.ts'
import { type WaiverPredicate, waiverPredicate } from './schemas/waiver.ts'
import { samePerson } from './separation.ts'
import { openPredicate } from './statement.ts'

/** A waiver whose signature holds. `sha256` is the digest of its envelope. Signed is not yet accepted. */
export type SignedWaiver = { sha256: string; predicate: WaiverPredicate }

const DAY_MS = 86_400_000

/** One finding of one plan, by everything it says: a finding that says something else is another one. */
export function findingId(finding: Finding): string {
  return `f-${digestOf(finding).slice(0, 32)}`
}

/** The waiver in an envelope, or null when signature, shape or subject do not hold. */
export function readWaiver(envelope: Uint8Array, trust: TrustRoot): SignedWaiver | null {
  try {
    const { statement, predicate } = openPredicate(envelope, trust, 'waiver', waiverPredicate)
    const [subject, ...more] = statement.subject
    const same =
      more.length === 0 && subject?.digest.sha256 === predicate.plan_sha256 && findingId(predicate.finding) === predicate.finding_id
    return same ? { sha256: sha256(envelope), predicate } : null
  } catch (error) {
    if (isWaybillError(error) && error.code === 'EVIDENCE_INVALID') return null
    throw error
  }
}

export type WaiverFacts = { policy: Policy; projectId: string; planSha256: string; author: string; now: Date }

/** Why a policy lets nobody waive this finding; null when it lets somebody. */
export function notWaivable(finding: Finding, policy: Policy): string | null {
  const rule = policy.waivers
  if (rule === undefined) return `policy ${policy.version} lets nobody waive a finding`
  // Threat: a stolen link would do here what it cannot do for an approval.
  if (policy.asking?.passkey_roles?.includes(rule.role) === true)
    return `policy ${policy.version} asks ${rule.role} for a passkey, and a waiver is signed without one`
  if (!rule.rules.some((id) => id === finding.rule_id))
    return `policy ${policy.version} lets nobody waive what the ${finding.rule_id} found`
  if (finding.verdict !== 'fail' || !rule.severities.some((severity) => severity === finding.severity))
    return `policy ${policy.version} lets nobody waive a finding that is ${finding.severity}`
  return null
}

/** Why a signed waiver does not count, in one sentence; null when it does. */
export function waiverFault({ predicate }: SignedWaiver, about: WaiverFacts): string | null {
  const { policy, now } = about
  const who = `the waiver of ${predicate.approver}`
  if (predicate.project_id !== about.projectId) return `${who} is about another project, ${predicate.project_id}`
  if (predicate.plan_sha256 !== about.planSha256) return `${who} is about another plan (${predicate.plan_sha256.slice(0, 12)}…)`
  const barred = notWaivable(predicate.finding, policy)
  if (barred !== null) return barred
  if (predicate.role !== policy.waivers?.role)
    return `${who} was given as ${predicate.role}; policy ${policy.version} asks for ${policy.waivers?.role}`
  const holder = roleFault(policy, predicate.role, predicate.approver)
  if (holder !== null) return holder
  if (samePerson(predicate.approver, about.author)) return `${who} is the author's own`
  const given = Date.parse(predicate.waived_at)
  const until = Date.parse(predicate.expires_at)
  if (until - given > policy.waivers.max_days * DAY_MS)
    return `${who} lasts longer than the ${policy.waivers.max_days} days of policy ${policy.version}`
  if (given > now.getTime()) return `${who} is dated ${predicate.waived_at}, which is still to come`
  if (!(now.getTime() < until)) return `${who} expired at ${predicate.expires_at}`
  return null
}

/** The waiver that counts for each finding which has one, by finding id. One that does not count is as if it were not there. */
export function waivedFindings(
  findings: readonly Finding[],
  waivers: readonly SignedWaiver[],
  about: WaiverFacts,
): Map<string, SignedWaiver> {
  const counting = waivers
    .filter((waiver) => waiverFault(waiver, about) === null)
    .toSorted((a, b) => (a.predicate.expires_at < b.predicate.expires_at ? 1 : -1))
  const byFinding = new Map<string, SignedWaiver>()
  for (const finding of findings) {
    const id = findingId(finding)
    const waiver = counting.find((candidate) => candidate.predicate.finding_id === id)
    if (waiver !== undefined) byFinding.set(id, waiver)
  }
  return byFinding
}

/** What the signature on a plan says about its waivers: the earliest end of all of them. Undefined where there are none. */
export function waiversInShort(waivers: readonly SignedWaiver[]): PlanPredicate['waivers'] {
  if (waivers.length === 0) return undefined
  return {
    sha256: [...new Set(waivers.map((waiver) => waiver.sha256))].sort(),
    people: [...new Set(waivers.map(({ predicate }) => predicate.approver))].sort(),
    until: waivers.map(({ predicate }) => predicate.expires_at).sort()[0]!,
  }
}
