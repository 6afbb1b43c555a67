import { afterEach, beforeEach, expect, it } from 'vitest'
import type { Policy } from '../../layers/core/schemas/policy.ts'
import type { LifecycleState } from '../../layers/core/schemas/project.ts'
import { memoryReader, verifyPack } from '../../layers/core/verifier/index.ts'
import { type TestPlatform, testPlatform } from './support/platform.ts'
import { PEOPLE, storeSpec, tell, yes } from './support/story.ts'
import { storedPack } from './support/written-pack.ts'

const LONG = 120_000
let on: TestPlatform
beforeEach(async () => {
  on = await testPlatform()
})
afterEach(() => on.close())

function bump(change: Partial<Policy> = { plan_ttl_hours: 24 }): void {
  on.ports.policy = { ...on.ports.policy, version: '2027.1', ...change }
}

/** The failed run left the target alone, said which field changed and what to do, and stands in the audit log. */
async function refused(id: string, failedFrom: LifecycleState, says = /plan_ttl_hours from 168 to 24.*waybill resume/): Promise<void> {
  const project = await on.ports.projects.get(id)
  expect([project.state, project.failed_from, project.failure?.code]).toEqual(['FAILED', failedFrom, 'PLAN_NOT_AUTHORISED'])
  expect(project.failure?.reason).toMatch(says)
  expect(on.systems.touched).toEqual([])
  const entry = (await on.ports.audit.read(id)).findLast(({ action }) => action === 'RUN_FAILED')
  expect(entry?.details).toMatchObject({ code: 'PLAN_NOT_AUTHORISED', reason: expect.stringMatching(says) })
}

it('a policy changed while the plan waits for its approval: not signed', { timeout: LONG }, async () => {
  const id = await storeSpec(on)
  await tell(on, id, (mail) => {
    if (mail.to === PEOPLE.tech_lead) bump()
    return yes(mail)
  })
  await refused(id, 'PLAN_DRAFTED')
  expect((await on.ports.projects.get(id)).artifacts.signed_plan).toBeUndefined()
})

it('a policy changed between the approvals and the execution: not executed, and planned again under the new one', {
  timeout: LONG,
}, async () => {
  const id = await storeSpec(on)
  await tell(on, id, (mail) => {
    if (mail.to === PEOPLE.security) bump()
    return yes(mail)
  })
  await refused(id, 'PLANNED')
  const asked: string[] = []
  const { project } = await tell(on, id, (mail) => {
    asked.push(mail.to)
    return yes(mail)
  })
  // Everybody is asked anew: what they approved before was another plan.
  expect(asked.slice(0, 3).toSorted()).toEqual(['data.owner@example.com', 'security@example.com', 'tech.lead@example.com'])
  expect([project?.state, project?.plan_version]).toEqual(['EVIDENCE_COMPLETE', 2])
  const stale = (await on.ports.audit.read(id)).find(({ action }) => action === 'PLAN_STALE')
  expect(stale?.details).toMatchObject({ plan_version: '1', from: 'FAILED', to: 'PLAN_DRAFTED' })
  expect(stale?.details.why).toMatch(/plan_ttl_hours from 168 to 24/)
  const { verified, faults } = await verifyPack(memoryReader(await storedPack(on, id)))
  expect([verified, faults]).toEqual([true, []])
})

it('a policy changed while a run is down: every worker started by hand refuses, and so does what goes on by itself', {
  timeout: LONG,
}, async () => {
  const id = await storeSpec(on)
  on.failNext('prepare-target', new Error('not yet'), 20)
  await tell(on, id)
  bump({ tolerances: { ...on.ports.policy.tolerances, max_absolute: '0.5' } })
  await expect(on.work({ worker: 'prepare-target', project_id: id, run_id: 'by-hand', items: null, ids: [] })).rejects.toMatchObject({
    code: 'PLAN_NOT_AUTHORISED',
    details: [expect.stringMatching(/tolerances.max_absolute from 0 to 0.5.*waybill resume/)],
  })
  expect(on.systems.touched).toEqual([])
  const entry = (await on.ports.audit.read(id)).findLast(({ action }) => action === 'WORK_REFUSED')
  expect(entry).toMatchObject({ actor: 'waybill/prepare-target', details: { why: expect.stringMatching(/max_absolute from 0 to 0.5/) } })
})
