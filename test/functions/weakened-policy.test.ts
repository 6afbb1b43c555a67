import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readApproval } from '../../layers/core/flow/statements.ts'
import type { Mail } from '../../layers/core/ports.ts'
import { advance } from '../../layers/core/project-service.ts'
import type { Policy } from '../../layers/core/schemas/policy.ts'
import { type TestPlatform, testPlatform } from './support/platform.ts'
import { type Answer, PEOPLE, storeSpec, tell, yes } from './support/story.ts'

const LONG = 120_000
let on: TestPlatform

beforeEach(async () => {
  on = await testPlatform({ policy: { clean_runs_required: 2 } })
})
afterEach(() => on.close())

const asksCutover = (mail: Mail) => mail.subject.startsWith('May the cutover happen')
const asksQuality = (mail: Mail) => mail.subject.startsWith('Is this proof good enough')

/** What somebody with the configuration in hand would like: fewer people, fewer runs. */
function weaken(): void {
  const approvals: Policy['approvals'] = { ...on.ports.policy.approvals, 'CUTOVER_READY->CUTOVER_DONE': ['release_manager'] }
  on.ports.policy = { ...on.ports.policy, clean_runs_required: 1, approvals }
}

describe('a policy weakened after the plan was signed', () => {
  it('still needs every clean run, and the data owner, who is asked and refuses', { timeout: LONG }, async () => {
    const asked: string[] = []
    const people = (mail: Mail): Answer => {
      if (asksQuality(mail)) weaken()
      if (!asksCutover(mail)) return yes(mail)
      asked.push(mail.to)
      return mail.to === PEOPLE.data_owner ? { decision: 'reject', reason: 'not yet' } : { decision: 'approve' }
    }
    const { project } = await tell(on, await storeSpec(on), people)
    expect(asked.toSorted()).toEqual([PEOPLE.data_owner, PEOPLE.release_manager].toSorted())
    expect([project?.state, project?.clean_runs]).toEqual(['REJECTED', 2])
  })

  it('does not open the gate on one answer while the other person is being asked', { timeout: LONG }, async () => {
    const people = (mail: Mail): Answer => {
      if (!asksCutover(mail)) return yes(mail)
      weaken()
      return mail.to === PEOPLE.data_owner ? { decision: 'reject', reason: 'not yet' } : { decision: 'approve' }
    }
    const { project } = await tell(on, await storeSpec(on), people)
    expect(project?.state).toBe('REJECTED')
  })

  it('does not let the cutover itself pass without the data owner', { timeout: LONG }, async () => {
    const id = await storeSpec(on)
    on.failNext('cutover', new Error('not yet'), 20)
    await tell(on, id)
    await advance(on.ports, id, { to: 'CUTOVER_READY', actor: 'test', action: 'STANDS_AGAIN' })
    const { artifacts, trust } = on.ports
    on.ports.artifacts = {
      ...artifacts,
      list: async (prefix) => {
        const kept: string[] = []
        for (const key of await artifacts.list(prefix)) {
          const said = prefix.endsWith('/approvals/') ? readApproval(await artifacts.get((await artifacts.find(key))!), trust) : null
          if (said?.role !== 'data_owner' || said.transition !== 'CUTOVER_READY->CUTOVER_DONE') kept.push(key)
        }
        return kept
      },
    }
    weaken()
    const { createHandler } = await import('../../functions/cutover/handler.ts')
    const cutover = () => createHandler(on.ports)({ project_id: id, run_id: 'by-hand' })
    await expect(cutover()).rejects.toMatchObject({
      code: 'PLAN_NOT_AUTHORISED',
      details: [expect.stringMatching(/no data_owner approved|CUTOVER_READY->CUTOVER_DONE is not approved/)],
    })
    on.ports.artifacts = artifacts
    await expect(cutover()).resolves.toMatchObject({ project_id: id })
  })

  it('does not let the cutover pass on answers about a proof that was replaced since', { timeout: LONG }, async () => {
    const id = await storeSpec(on)
    on.failNext('cutover', new Error('not yet'), 20)
    await tell(on, id)
    const log = await on.ports.audit.read(id)
    const earlier = log.find(({ action }) => action === 'OUTCOME_PROVEN')!
    await advance(on.ports, id, {
      actor: 'test',
      action: 'OUTCOME_PROVEN',
      subject_sha256: earlier.subject_sha256,
      details: { run_id: earlier.details.run_id! },
    })
    await advance(on.ports, id, { to: 'CUTOVER_READY', actor: 'test', action: 'STANDS_AGAIN' })
    const { createHandler } = await import('../../functions/cutover/handler.ts')
    await expect(createHandler(on.ports)({ project_id: id, run_id: 'by-hand' })).rejects.toMatchObject({
      code: 'PLAN_NOT_AUTHORISED',
      details: [
        'the proof is not the newest that the audit log records',
        expect.stringContaining('PARALLEL_VALIDATED->CUTOVER_READY is not approved'),
      ],
    })
  })
})
