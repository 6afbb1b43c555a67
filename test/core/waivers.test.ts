import { describe, expect, it } from 'vitest'
import { authorise, type BarrierInput } from '../../layers/core/barrier.ts'
import { canonicalBytes, digestOf } from '../../layers/core/canonical-json.ts'
import { sha256 } from '../../layers/core/digest.ts'
import type { Signer } from '../../layers/core/ports.ts'
import { defaultPolicy, hashingSpec, typeCoercionRulebook } from '../../layers/core/rulebooks.ts'
import { type Facts, validate } from '../../layers/core/rules/index.ts'
import type { PlanPredicate } from '../../layers/core/schemas/governance.ts'
import type { Plan } from '../../layers/core/schemas/plan.ts'
import type { Policy } from '../../layers/core/schemas/policy.ts'
import type { WaiverPredicate } from '../../layers/core/schemas/waiver.ts'
import { PREDICATES, signStatement, statementOf } from '../../layers/core/statement.ts'
import { findingId, readWaiver, type SignedWaiver, waiverFault, waiversInShort } from '../../layers/core/waivers.ts'
import { keys, trust } from './support/keys.ts'
import { AUTHOR, approvalOf, NOW, PEOPLE, planOf, signedApprovalOf, signedPlanOf, takenEntry } from './support/plan.ts'

const DAY = 86_400_000
const MANAGER = 'mara@example.com'
const policy: Policy = {
  ...defaultPolicy,
  waivers: { role: 'engineering_manager', rules: ['tolerance-validator'], severities: ['ERROR'], max_days: 30 },
}
const ours = { policy: { version: policy.version, sha256: digestOf(policy) } }
/** Rolls back later than the policy calls critical: an ERROR of the tolerance validator. */
const plan = planOf({ ...ours, rollback: { auto_rollback_enabled: true, bps_rollback_threshold: 0.5, preserve_source: true } })
const planSha256 = sha256(canonicalBytes(plan))
const approvers: Facts['approvers'] = [
  ...Object.entries(PEOPLE).map(([role, email]) => ({ role: role as Facts['approvers'][number]['role'], email: email! })),
  { role: 'engineering_manager', email: MANAGER },
]
const factsOf = (waivers: readonly SignedWaiver[], over: Partial<Facts> = {}): Facts => ({
  policy,
  typeCoercion: typeCoercionRulebook,
  hashingSpec,
  catalog: null,
  approvers,
  gate: null,
  signed: null,
  waivers,
  now: NOW,
  ...over,
})
const finding = validate(plan, planSha256, factsOf([])).findings.find(({ severity }) => severity === 'ERROR')!
const about = { policy, projectId: plan.project_id, planSha256, author: AUTHOR, now: NOW }

function predicateOf(over: Partial<WaiverPredicate> = {}): WaiverPredicate {
  return {
    waiver_id: 'w-one',
    project_id: plan.project_id,
    plan_sha256: planSha256,
    finding_id: findingId(finding),
    finding,
    role: 'engineering_manager',
    approver: MANAGER,
    reason: 'the old system stays for a week',
    expires_at: new Date(NOW.getTime() + 7 * DAY).toISOString(),
    waived_at: NOW.toISOString(),
    identified_by: 'invited-address',
    ...over,
  }
}
async function envelopeOf(predicate: WaiverPredicate, signer: Signer = keys.approval.signer, subject = predicate.plan_sha256) {
  const content = statementOf({ predicateType: PREDICATES.waiver, subject: [{ name: 'migration_plan.json', sha256: subject }], predicate })
  return (await signStatement(signer, content)).bytes
}
const waiverOf = async (over: Partial<WaiverPredicate> = {}) => readWaiver(await envelopeOf(predicateOf(over)), trust)!
const verdictWith = (waivers: readonly SignedWaiver[], over: Partial<Facts> = {}, of: Plan = plan) =>
  validate(of, sha256(canonicalBytes(of)), factsOf(waivers, over))

describe('a waiver', () => {
  it('of the finding lets the plan pass, and the findings say so; without it they do not', async () => {
    expect(verdictWith([])).toMatchObject({ verdict: 'fail' })
    expect(verdictWith([]).waived).toBeUndefined()
    const waiver = await waiverOf()
    expect(verdictWith([waiver])).toMatchObject({
      verdict: 'pass',
      waived: [{ finding_id: findingId(finding), waiver_sha256: waiver.sha256 }],
    })
    expect(waiverFault(waiver, about)).toBeNull()
  })

  it.each<[string, Partial<WaiverPredicate>, RegExp]>([
    ['expired', { expires_at: NOW.toISOString() }, /expired/],
    ['dated ahead', { waived_at: new Date(NOW.getTime() + 1).toISOString() }, /still to come/],
    ['longer than the policy lets', { expires_at: new Date(NOW.getTime() + 31 * DAY).toISOString() }, /lasts longer than the 30 days/],
    ['for another plan', { plan_sha256: sha256('another') }, /another plan/],
    ['for another project', { project_id: 'prj-two' }, /another project/],
    ['by the wrong role', { role: 'tech_lead' }, /given as tech_lead/],
    ['by the author, under another spelling', { approver: 'Ana.Author+x@example.com' }, /the author's own/],
    ['of another severity', { finding: { ...finding, severity: 'CRITICAL' } }, /CRITICAL/],
    ['of another validator', { finding: { ...finding, rule_id: 'hashing-validator' } }, /hashing-validator/],
    ['of another finding', { finding: { ...finding, where: '/elsewhere' } }, /^$/],
  ])('%s does not count', async (_, over, says) => {
    const changed = { ...over, ...(over.finding ? { finding_id: findingId(over.finding) } : {}) }
    const waiver = await waiverOf(changed)
    expect(waiverFault(waiver, about) ?? '').toMatch(says)
    expect(verdictWith([waiver]).verdict).toBe('fail')
  })

  it('counts from nobody whom the spec does not name for the role alone, nor where the policy has no waivers or another holder', async () => {
    const waiver = await waiverOf()
    expect(verdictWith([await waiverOf({ approver: 'stranger@example.com' })]).verdict).toBe('fail')
    expect(verdictWith([waiver], { approvers: [...approvers, { role: 'dba', email: 'M.ara@example.com' }] }).verdict).toBe('fail')
    const { waivers: _, ...none } = policy
    expect(waiverFault(waiver, { ...about, policy: none })).toMatch(/lets nobody waive/)
    const held = { ...policy, people: [{ role: 'engineering_manager' as const, holders: ['boss@example.com'] }] }
    expect(waiverFault(waiver, { ...about, policy: held })).toMatch(/does not let mara/)
  })

  it('excuses one finding and no other', async () => {
    const two = planOf({ ...plan, expires_at: plan.created_at })
    expect(verdictWith([await waiverOf({ plan_sha256: sha256(canonicalBytes(two)) })], {}, two).verdict).toBe('fail')
  })

  it('forged, re-signed, or about another subject is none', async () => {
    const predicate = predicateOf()
    expect(readWaiver(await envelopeOf(predicate), trust)).not.toBeNull()
    for (const signer of [keys.plan.signer, keys.evidence.signer, keys.stranger.signer])
      expect(readWaiver(await envelopeOf(predicate, signer), trust)).toBeNull()
    expect(readWaiver(await envelopeOf(predicate, keys.approval.signer, sha256('another')), trust)).toBeNull()
    expect(readWaiver(await envelopeOf({ ...predicate, finding: { ...finding, severity: 'INFO' } }), trust)).toBeNull()
    expect(readWaiver(await signedApprovalOf(approvalOf('PLAN_DRAFTED->PLANNED', 'tech_lead', planSha256)), trust)).toBeNull()
    expect(readWaiver(new Uint8Array(), trust)).toBeNull()
  })
})

describe('the barrier, for a plan that rests on a waiver', () => {
  async function inputOf(
    waivers: PlanPredicate['waivers'],
    over: Partial<BarrierInput> = {},
    lead = PEOPLE.tech_lead!,
  ): Promise<BarrierInput> {
    const planBytes = canonicalBytes(plan)
    const signedPlan = await signedPlanOf(plan, { predicate: { waivers } })
    const given = [
      approvalOf('PLAN_DRAFTED->PLANNED', 'tech_lead', planSha256, { approver: lead }),
      approvalOf('PLANNED->EXECUTED', 'data_owner', sha256(signedPlan)),
      approvalOf('PLANNED->EXECUTED', 'security', sha256(signedPlan)),
    ]
    const approvals = await Promise.all(given.map((each) => signedApprovalOf(each)))
    return {
      planBytes,
      signedPlan,
      approvals,
      log: given.map((each, index) => takenEntry(each, approvals[index]!)),
      trust,
      policy,
      now: NOW,
      purpose: 'write',
      scope: { project_id: plan.project_id },
      ...over,
    }
  }
  const refused = (says: RegExp) => expect.objectContaining({ code: 'PLAN_NOT_AUTHORISED', details: [expect.stringMatching(says)] })

  it('opens while the waiver counts, and not from the very millisecond it does not; reading goes on', async () => {
    const short = waiversInShort([await waiverOf(), await waiverOf({ expires_at: new Date(NOW.getTime() + DAY).toISOString() })])
    expect(short?.until).toBe(new Date(NOW.getTime() + DAY).toISOString())
    expect(authorise(await inputOf(short))).toEqual(plan)
    const later = { now: new Date(NOW.getTime() + DAY) }
    expect(authorise(await inputOf(short, { now: new Date(NOW.getTime() + DAY - 1) }))).toEqual(plan)
    const expired = await inputOf(short, later)
    expect(() => authorise(expired)).toThrow(refused(/a waiver that this plan rests on expired .*waybill resume/))
    expect(authorise(await inputOf(short, { ...later, purpose: 'read' }))).toEqual(plan)
  })

  it('minds nothing that whoever waived had approved of an earlier plan', async () => {
    const input = await inputOf(waiversInShort([await waiverOf()]))
    for (const transition of ['PLAN_DRAFTED->PLANNED', 'PLANNED->EXECUTED'] as const) {
      const earlier = approvalOf(transition, 'tech_lead', sha256('an earlier plan'), {
        approver: 'mara@example.com',
        approval_id: 'apr-earlier',
      })
      const signed = await signedApprovalOf(earlier)
      expect(authorise({ ...input, approvals: [...input.approvals, signed], log: [...input.log, takenEntry(earlier, signed)] })).toEqual(
        plan,
      )
    }
  })

  it('refuses when whoever waived approved it too, under any spelling', async () => {
    const input = await inputOf(waiversInShort([await waiverOf()]), {}, 'M.ara+lead@example.com')
    expect(() => authorise(input)).toThrow(refused(/mara@example.com waived a finding of this plan and approved it as well/))
  })
})
