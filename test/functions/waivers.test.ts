import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { askForWaiver, giveWaiver, openFindings } from '../../functions/work/waiving.ts'
import { canonicalBytes } from '../../layers/core/canonical-json.ts'
import { checksumLines, sealPack } from '../../layers/core/evidence/pack.ts'
import { keyOf } from '../../layers/core/flow/storing.ts'
import type { Mail } from '../../layers/core/ports.ts'
import { defaultPolicy } from '../../layers/core/rulebooks.ts'
import type { Policy } from '../../layers/core/schemas/policy.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'
import type { WaiverPredicate } from '../../layers/core/schemas/waiver.ts'
import { PREDICATES, signStatement, statementOf } from '../../layers/core/statement.ts'
import { memoryReader, verifyPack } from '../../layers/core/verifier/index.ts'
import { type TestPlatform, testPlatform } from './support/platform.ts'
import { getRequest, linkIn, PEOPLE, specText, tell, yes } from './support/story.ts'
import { storedPack } from './support/written-pack.ts'

const LONG = 120_000
const HOUR = 3_600_000
const MANAGER = 'mara.manager@example.com'
const waivers: Policy['waivers'] = { role: 'engineering_manager', rules: ['tolerance-validator'], severities: ['ERROR'], max_days: 30 }
const WANTED = { reason: 'the old system stays for a week', days: 7 }

let on: TestPlatform
let id: string
let serial = 0
beforeEach(async () => {
  on = await testPlatform({ policy: { waivers } })
})
afterEach(() => on.close())

/** A plan that rolls back later than the policy calls critical: one ERROR, and the run ends with it. */
async function refusedPlan(manager = MANAGER): Promise<ProjectRecord> {
  id = `w${process.pid}-${++serial}`
  const spec = JSON.parse(specText())
  spec.rollback_config = { auto_rollback_enabled: true, bps_rollback_threshold: 0.5 }
  spec.approvers.push({ role: 'engineering_manager', email: manager })
  const bytes = Buffer.from(JSON.stringify(spec))
  await on.ports.artifacts.put(keyOf(id, 'spec', '1'), bytes, { contentType: 'application/json', retainUntil: new Date() })
  await tell(on, id)
  return untouched('FAILED')
}

async function untouched(state: ProjectRecord['state']): Promise<ProjectRecord> {
  const project = await on.ports.projects.get(id)
  expect([project.state, on.systems.touched]).toEqual([state, []])
  return project
}

async function asked(project: ProjectRecord, wanted = WANTED): Promise<{ waiverId: string; code: string; mail: Mail }> {
  const [open] = await openFindings(on.ports, project)
  const request = await askForWaiver(on.ports, project, { findingId: open!.finding_id, ...wanted })
  const mail = on.mails.at(-1)!
  const code = /--code (\S+)/.exec(mail.text)![1]!
  return { waiverId: request.waiver_id, code, mail }
}

const actions = async () => (await on.ports.audit.read(id)).map(({ action }) => action)
const refusals = async () =>
  (await on.ports.audit.read(id)).filter(({ action }) => action === 'WAIVER_REFUSED').map(({ details }) => details.why)

/** What somebody with the approval key in hand could store: a statement that says whatever they like. */
async function planted(project: ProjectRecord, over: Partial<WaiverPredicate>, purpose: 'approval' | 'plan' = 'approval'): Promise<void> {
  const [open] = await openFindings(on.ports, project)
  const now = on.ports.clock.now().getTime()
  const predicate: WaiverPredicate = {
    waiver_id: 'w-planted',
    project_id: id,
    plan_sha256: project.artifacts.migration_plan!.sha256,
    finding_id: open!.finding_id,
    finding: open!.finding,
    role: 'engineering_manager',
    approver: MANAGER,
    reason: 'because',
    expires_at: new Date(now + 24 * HOUR).toISOString(),
    waived_at: new Date(now).toISOString(),
    identified_by: 'invited-address',
    ...over,
  }
  const subject = [{ name: 'migration_plan.json', sha256: predicate.plan_sha256 }]
  const { bytes } = await signStatement(on.ports.signers[purpose], statementOf({ predicateType: PREDICATES.waiver, subject, predicate }))
  await on.ports.artifacts.put(`projects/${id}/waivers/w-planted.dsse.json`, bytes, {
    contentType: 'application/json',
    retainUntil: new Date(),
  })
}

it('asked for, signed with the code from the mail, shown to approvers, in the pack, and verified offline', { timeout: LONG }, async () => {
  const project = await refusedPlan()
  const { waiverId, code, mail } = await asked(project)
  expect([mail.to, mail.text.includes(WANTED.reason), mail.text.includes('0.5')]).toEqual([MANAGER, true, true])
  expect(await giveWaiver(on.ports, project, waiverId, code)).toMatchObject({
    approver: MANAGER,
    plan_sha256: project.artifacts.migration_plan!.sha256,
  })
  const pages: string[] = []
  const { project: done } = await tell(on, id, (each) => {
    void on.http(getRequest(linkIn(each))).then(({ body }) => pages.push(body))
    return yes(each)
  })
  expect(done?.state).toBe('EVIDENCE_COMPLETE')
  // The very plan that was refused, not one made anew.
  expect(done?.artifacts.migration_plan).toEqual(project.artifacts.migration_plan)
  expect(pages.filter((page) => page.includes(`Waived by ${MANAGER}`) && page.includes(WANTED.reason)).length).toBeGreaterThan(0)
  expect(await actions()).toEqual(expect.arrayContaining(['WAIVER_REQUESTED', 'WAIVER_SIGNED']))
  const files = await storedPack(on, id)
  expect(files.map(({ path }) => path)).toContain(`waivers/${waiverId}.dsse.json`)
  expect(await verifyPack(memoryReader(files))).toMatchObject({ verified: true, faults: [] })

  // The same pack without the waiver, sealed anew by whoever has the evidence key: the plan was signed for no reason.
  const unsealed = files.filter(({ path }) => !/^(sha256_manifest\.json|manifest\.|waivers\/|timestamp\/)/.test(path))
  const sums = unsealed.filter(({ path }) => path !== 'SHA256SUMS')
  const again = [...sums, { path: 'SHA256SUMS', bytes: Buffer.from(checksumLines(sums)) }]
  const sealed = await sealPack(on.ports.signers.evidence, again, { projectId: id, state: 'EVIDENCE_COMPLETE', now: on.ports.clock.now() })
  const { verified, faults } = await verifyPack(memoryReader(sealed))
  expect(verified).toBe(false)
  expect(faults).toEqual(
    expect.arrayContaining([
      expect.stringMatching(/a plan was signed although its validation did not pass/),
      expect.stringMatching(/the signature says something else about waivers/),
    ]),
  )
})

describe('a waiver that does not count leaves the plan unsigned and the target untouched', () => {
  it.each<[string, Partial<WaiverPredicate>, ('approval' | 'plan')?]>([
    ['for another plan', { plan_sha256: 'a'.repeat(64) }],
    ['for another project', { project_id: 'somebody-elses' }],
    ['by the author', { approver: 'author@example.com' }],
    ['by somebody whom the spec does not name', { approver: 'stranger@example.com' }],
    ['by an approver of the plan', { approver: PEOPLE.tech_lead }],
    ['in another role', { role: 'tech_lead', approver: PEOPLE.tech_lead }],
    ['expired', { expires_at: '2020-01-01T00:00:00.000Z' }],
    ['signed with the key for plans', {}, 'plan'],
  ])('%s', { timeout: LONG }, async (_, over, purpose) => {
    const project = await refusedPlan()
    await planted(project, over, purpose)
    await tell(on, id)
    const { failure } = await untouched('FAILED')
    expect(failure?.code).toBe('FAIL')
    expect((await actions()).filter((action) => action === 'PLAN_SIGNED')).toEqual([])
    expect((await on.ports.audit.read(id)).findLast(({ action }) => action === 'PLAN_VALIDATED')?.details.verdict).toBe('fail')
  })

  it('expired while the plan waited for its approval: not signed', { timeout: LONG }, async () => {
    const project = await refusedPlan()
    const { waiverId, code } = await asked(project, { ...WANTED, days: 1 })
    await giveWaiver(on.ports, project, waiverId, code)
    await tell(on, id, (mail) => {
      if (mail.to === PEOPLE.tech_lead) on.later(25 * HOUR)
      return yes(mail)
    })
    const { failure } = await untouched('FAILED')
    expect([failure?.code, failure?.reason]).toEqual(['PLAN_INVALID', expect.stringMatching(/expired at .*waybill waive/)])
  })

  it('expired between the signature and the execution: not executed', { timeout: LONG }, async () => {
    const project = await refusedPlan()
    const { waiverId, code } = await asked(project, { ...WANTED, days: 1 })
    await giveWaiver(on.ports, project, waiverId, code)
    await tell(on, id, (mail) => {
      if (mail.to === PEOPLE.security) on.later(25 * HOUR)
      return yes(mail)
    })
    const { failure } = await untouched('FAILED')
    expect([failure?.code, failure?.reason]).toEqual([
      'PLAN_NOT_AUTHORISED',
      expect.stringMatching(/waiver that this plan rests on expired/),
    ])
    expect(await actions()).toContain('WORK_REFUSED')
  })
})

describe('asking and giving', () => {
  it('a wrong code, a late one, and one for a plan that was made again are refused and audited', { timeout: LONG }, async () => {
    const project = await refusedPlan()
    const { waiverId, code } = await asked(project)
    const wrong = `${code[0] === 'A' ? 'B' : 'A'}${code.slice(1)}`
    await expect(giveWaiver(on.ports, project, waiverId, wrong)).rejects.toMatchObject({ code: 'APPROVAL_REFUSED' })
    await expect(giveWaiver(on.ports, project, 'w-none', code)).rejects.toMatchObject({ code: 'NOT_FOUND' })
    const other = await on.ports.artifacts.put(keyOf(id, 'migration_plan', 'other'), canonicalBytes({ other: true }), {
      contentType: 'application/json',
      retainUntil: new Date(),
    })
    const moved = { ...project, artifacts: { ...project.artifacts, migration_plan: other } }
    await expect(giveWaiver(on.ports, moved, waiverId, code)).rejects.toMatchObject({
      code: 'APPROVAL_REFUSED',
      message: expect.stringMatching(/made again/),
    })
    on.later(73 * HOUR)
    await expect(giveWaiver(on.ports, project, waiverId, code)).rejects.toMatchObject({ code: 'APPROVAL_EXPIRED' })
    expect(await refusals()).toHaveLength(3)
    expect(await on.ports.artifacts.list(`projects/${id}/waivers/`)).toEqual([])
  })

  it('is refused where the policy has no waivers, for longer than it lets, and to somebody with another say', {
    timeout: LONG,
  }, async () => {
    const project = await refusedPlan()
    const [open] = await openFindings(on.ports, project)
    const ask = (more: object = {}) => askForWaiver(on.ports, project, { findingId: open!.finding_id, ...WANTED, ...more })
    const before = on.mails.length
    await expect(ask({ days: 31 })).rejects.toMatchObject({ code: 'APPROVAL_REFUSED', message: expect.stringMatching(/30 days/) })
    await expect(ask({ findingId: 'f-none' })).rejects.toMatchObject({ code: 'NOT_FOUND' })
    on.ports.policy = defaultPolicy
    await expect(ask()).rejects.toMatchObject({ code: 'APPROVAL_REFUSED', message: expect.stringMatching(/lets nobody waive/) })
    expect(on.mails.length).toBe(before)
  })

  it('to an approver of the plan, under another spelling, is refused; a spec that names the author starts nothing', {
    timeout: LONG,
  }, async () => {
    const project = await refusedPlan('Tech.Lead+2@example.com')
    const [open] = await openFindings(on.ports, project)
    const ask = askForWaiver(on.ports, project, { findingId: open!.finding_id, ...WANTED })
    await expect(ask).rejects.toMatchObject({ code: 'APPROVAL_REFUSED', message: expect.stringMatching(/has another role/) })
    await expect(refusedPlan('auth.or@example.com')).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  it('the code opens no approval page, and no approval link signs a waiver', { timeout: LONG }, async () => {
    const project = await refusedPlan()
    const { waiverId, code } = await asked(project)
    expect((await on.http({ path: `/approvals/${waiverId}`, query: { t: code } })).status).toBe(404)
    await giveWaiver(on.ports, project, waiverId, code)
    let link: URL | null = null
    await tell(on, id, (mail) => {
      link ??= linkIn(mail)
      return mail.to === PEOPLE.security ? { decision: 'reject', reason: 'no' } : yes(mail)
    })
    await expect(giveWaiver(on.ports, project, waiverId, link!.searchParams.get('t')!)).rejects.toMatchObject({ code: 'APPROVAL_REFUSED' })
  })
})
