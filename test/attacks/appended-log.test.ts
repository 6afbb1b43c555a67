import { afterEach, describe, expect, it } from 'vitest'
import { nextEntry } from '../../layers/core/audit-chain.ts'
import type { LifecycleState } from '../../layers/core/schemas/project.ts'
import { type Asked, askedFor } from '../functions/support/asked.ts'
import { chain, filled, post, toTheEnd, until } from '../functions/support/decisions.ts'
import { linkIn, PEOPLE } from '../functions/support/story.ts'

/** Somebody who appends to the audit log, which takes no key, and edits the project's row to match. */
let asked: Asked
afterEach(() => asked.close())

async function append(action: string, details: Record<string, string>): Promise<void> {
  const { audit, clock } = asked.on.ports
  const fields = { project_id: asked.projectId, at: clock.now().toISOString(), actor: 'waybill', action, details }
  await audit.append(nextEntry(await audit.head(asked.projectId), fields))
}

async function editRecord(state: LifecycleState): Promise<void> {
  const { projects } = asked.on.ports
  const record = await projects.get(asked.projectId)
  await projects.update({ ...record, state, failed_from: null, failure: null, revision: record.revision + 1 })
}

const byHand = (worker: 'prepare-target' | 'finish-target' | 'run-checks') =>
  asked.on.work({ worker, project_id: asked.projectId, run_id: 'by-hand', items: null, ids: [] })

const refused = (says: RegExp) => ({ code: 'PLAN_NOT_AUTHORISED', details: expect.arrayContaining([expect.stringMatching(says)]) })

describe('entries appended to the log of a migration', () => {
  it('do not take the moves of an executed plan back: no worker executes it again', { timeout: 60_000 }, async () => {
    asked = await askedFor((mail) => mail.to === PEOPLE.security)
    await until(async () => asked.on.mails.some((mail) => mail.to === PEOPLE.security))
    const read = asked.on.mails.length
    const link = linkIn(asked.mail(PEOPLE.security))
    await post(link, await filled(link, 'approve'))
    await toTheEnd(asked, read)
    const touched = [...asked.on.systems.touched]

    const moves = (await asked.on.ports.audit.read(asked.projectId)).filter(({ details }) => details.to !== undefined)
    const planned = moves.findLast(({ details }) => details.to === 'PLANNED' && details.from !== 'PLANNED')!
    for (const move of moves.filter(({ seq }) => seq > planned.seq)) {
      const revision = move.details.revision!
      await append('RUN_RECORDED', { from: 'PLANNED', to: 'PLANNED', revision })
      await append('CHANGE_NOT_MADE', { entry: String(move.seq), revision })
    }
    await editRecord('PLANNED')
    for (const worker of ['prepare-target', 'finish-target'] as const)
      await expect(byHand(worker)).rejects.toMatchObject(refused(/says it is PLANNED, its audit chain says EVIDENCE_COMPLETE/))
    expect(asked.on.systems.touched).toEqual(touched)
    expect((await chain(asked, 'WORK_REFUSED')).length).toBeGreaterThan(0)
  })

  it('do not bring a project forward: a move that no anchor lies over is not believed', { timeout: 60_000 }, async () => {
    asked = await askedFor((mail) => mail.to === PEOPLE.qa_lead)
    const { revision, state } = await asked.on.ports.projects.get(asked.projectId)
    expect(state).toBe('PR_CREATED')
    await append('PARALLEL_RUN_COMPLETE', { from: state, to: 'PARALLEL_VALIDATED', revision: String(revision + 1) })
    await editRecord('PARALLEL_VALIDATED')
    await expect(byHand('run-checks')).rejects.toMatchObject(refused(/the change to PARALLEL_VALIDATED .* was not anchored/))
  })
})
