import { canonicalJson, digestOf } from '../canonical-json.ts'
import { sha256 } from '../digest.ts'
import { blocks } from '../rules/rule.ts'
import type { FindingSeverity, Verdict } from '../schemas/common.ts'
import { type Findings, VALIDATORS } from '../schemas/finding.ts'
import type { PlanPredicate } from '../schemas/governance.ts'
import { archetype, hashingSpec, typeCoercionRulebook } from '../schemas/policy.ts'
import { findingId } from '../waivers.ts'
import type { Contents } from './contents.ts'
import { Faults, notAccepted, type OpenedPack, readJson } from './pack-reader.ts'
import { waivedInPack } from './waivers.ts'

const PLAN = 'plan/migration_plan.json'
const SIGNED = 'plan/signed_plan.dsse.json'
/** Smallest and largest values of columns. */
const PROFILE = 'plan/profiling_report.json'

/** The plan is the one that was signed, under the policy and rulebooks that lie beside it, and its findings let it through. */
export function planFaults(pack: OpenedPack, contents: Contents): Faults {
  const faults = new Faults()
  const { plan, signedPlan, replay } = contents
  if (replay.reached.has('PLANNED') && signedPlan === null) faults.add(SIGNED, `${notAccepted(pack, SIGNED)}, although the plan was signed`)
  if (replay.reached.has('PLAN_DRAFTED') && plan === null) faults.add(PLAN, `${notAccepted(pack, PLAN)}, although a plan was drafted`)
  const executed = [contents.execution?.path, ...[...contents.recons, ...contents.certificates].map(({ path }) => path)]
  // Said the other way round as well: whoever may only sign evidence must not prove what nobody planned, approved and recorded.
  for (const path of [...executed, contents.outcome && 'outcome.json']) {
    if (typeof path !== 'string') continue
    if (plan === null || signedPlan === null) faults.add(path, 'is about an execution, and the pack holds no signed plan that was accepted')
    const needed = path === 'outcome.json' ? 'RECONCILED' : 'EXECUTED'
    if (!replay.reached.has(needed)) faults.add(path, `is here, although the audit log never says that the project was ${needed}`)
  }
  if (plan === null) return faults
  const planSha256 = sha256(plan.bytes)
  if (digestOf(plan.value) !== planSha256) faults.add(PLAN, 'is not in its canonical form')
  referenceFaults(pack, contents, faults)
  if (signedPlan === null) return faults
  const named = signedPlan.statement.subject.map((subject) => subject.digest.sha256)
  if (named.length !== 1 || named[0] !== planSha256) faults.add(PLAN, 'is not the plan that was signed')
  const said = signedPlan.predicate
  const pairs = [
    ['project', plan.value.project_id, said.project_id],
    ['version', plan.value.plan_version, said.plan_version],
    ['author', plan.value.author, said.author],
    ['expiry', plan.value.expires_at, said.expires_at],
    ['policy version', plan.value.policy.version, said.policy_version],
    ['policy digest', plan.value.policy.sha256, said.policy_sha256],
    ['type coercion rulebook', plan.value.rulebooks.type_coercion_sha256, said.type_coercion_sha256],
    ['hashing spec', plan.value.rulebooks.hashing_spec_sha256, said.hashing_spec_sha256],
    ['archetype', plan.value.archetype.sha256, said.archetype_sha256],
  ] as const
  for (const [what, mine, theirs] of pairs) if (mine !== theirs) faults.add(SIGNED, `the signature and the plan disagree about the ${what}`)
  findingFaults(contents, planSha256, said, faults)
  return faults
}

function referenceFaults(pack: OpenedPack, { plan, policy }: Contents, faults: Faults): void {
  const value = plan!.value
  if (policy === null) faults.add('plan/policy.json', 'is missing')
  else if (digestOf(policy.value) !== value.policy.sha256) faults.add('plan/policy.json', 'is not the policy that the plan names')
  else if (!policy.value.pii.values_in_evidence && pack.files.has(PROFILE))
    faults.add(PROFILE, 'holds values, and the policy lets none into the evidence')
  const books = [
    ['plan/type_coercion_rulebook.json', typeCoercionRulebook, value.rulebooks.type_coercion_sha256],
    ['plan/hashing_spec.json', hashingSpec, value.rulebooks.hashing_spec_sha256],
    ['plan/archetype.json', archetype, value.archetype.sha256],
  ] as const
  for (const [path, schema, expected] of books) {
    const book = readJson(pack, path, schema, faults)
    if (book !== null && digestOf(book) !== expected) faults.add(path, 'is not the one that the plan names')
  }
}

function findingFaults(contents: Contents, planSha256: string, said: PlanPredicate, faults: Faults): void {
  const path = 'plan/findings.json'
  const { findings } = contents
  if (findings === null) {
    faults.add(path, 'is missing')
    return
  }
  const { value, bytes } = findings
  if (sha256(bytes) !== said.findings_sha256) faults.add(path, 'are not the findings that were signed with the plan')
  if (value.plan_sha256 !== planSha256) faults.add(path, 'are about another plan')
  faults.all(path, validationFaults(value))
  const blocking = value.findings.filter(blocks)
  const waived = waivedInPack(contents, blocking, planSha256, said, faults)
  if (value.verdict !== 'pass' || blocking.some((finding) => !waived.has(findingId(finding))))
    faults.add(path, 'a plan was signed although its validation did not pass')
}

/** All six validators ran, each said something, and no verdict is milder than what it found. Not judged again: whether they found everything. */
function validationFaults({ validators, findings }: Findings): string[] {
  const faults: string[] = []
  if (canonicalJson(validators) !== canonicalJson(VALIDATORS))
    faults.push(`name the validators ${validators.join(', ') || '(none)'}; a plan is judged by ${VALIDATORS.join(', ')}, in this order`)
  for (const id of VALIDATORS)
    if (!findings.some(({ rule_id }) => rule_id === id)) faults.push(`say nothing of the ${id}: silence is no opinion`)
  for (const { rule_id, verdict, severity } of findings) {
    const allowed = SEVERITIES[verdict]
    if (!allowed.includes(severity)) faults.push(`call something of the ${rule_id} that is ${severity} a ${verdict}`)
  }
  return faults
}

/** What a validator may say of a finding with each verdict; only CRITICAL and ERROR that fail or are inconclusive keep a plan from being signed. */
const SEVERITIES: Readonly<Record<Verdict, readonly FindingSeverity[]>> = {
  pass: ['INFO'],
  'not-applicable': ['INFO', 'WARNING'],
  fail: ['WARNING', 'ERROR', 'CRITICAL'],
  inconclusive: ['WARNING', 'ERROR', 'CRITICAL'],
}
