import { afterEach, describe, expect, it } from 'vitest'
import { tellOutcomes } from '../../functions/decide/outbox.ts'
import { nextEntry } from '../../layers/core/audit-chain.ts'
import { WaybillError } from '../../layers/core/errors.ts'
import type { LifecycleState } from '../../layers/core/schemas/project.ts'
import { type Asked, askedFor } from '../functions/support/asked.ts'
import { chain, filled, post, stand, toTheEnd, until } from '../functions/support/decisions.ts'
import { editRecord } from '../functions/support/edited-record.ts'
import { linkIn, PEOPLE } from '../functions/support/story.ts'

/** Somebody who appends to the audit log, which takes no key, and edits the project's row to match. */
let asked: Asked
afterEach(() => asked.close())

async function append(action: string, details: Record<string, string>): Promise<void> {
  const { audit, clock } = asked.on.ports
  const fields = { project_id: asked.projectId, at: clock.now().toISOString(), actor: 'waybill', action, details }
  await audit.append(nextEntry(await audit.head(asked.projectId), fields))
}

/** In the project's row, past the store: with `revision`, of the next one. */
async function edit(state: LifecycleState, revision?: 'next'): Promise<void> {
  const record = await asked.on.ports.projects.get(asked.projectId)
  const next = revision === undefined ? 0 : 1
  editRecord(asked.on.home, { ...record, state, failed_from: null, failure: null, revision: record.revision + next })
}

const byHand = (worker: 'prepare-target' | 'finish-target' | 'run-checks') =>
  asked.on.work({ worker, project_id: asked.projectId, run_id: 'by-hand', items: null, ids: [] })

const NOT_WRITTEN = /it was not written with the project/
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
    await edit('PLANNED')
    // An honest anchor signed since lies over what was appended as well.
    await asked.on.ports.anchors.anchor(asked.projectId)
    for (const worker of ['prepare-target', 'finish-target'] as const) {
      await expect(byHand(worker)).rejects.toMatchObject(refused(/says it is PLANNED, its audit chain says EVIDENCE_COMPLETE/))
      await expect(byHand(worker)).rejects.toMatchObject(refused(NOT_WRITTEN))
    }
    expect(asked.on.systems.touched).toEqual(touched)
    expect((await chain(asked, 'WORK_REFUSED')).length).toBeGreaterThan(0)
  })

  it('and an edited record, in the moment between a move and its anchor, take nothing back', { timeout: 60_000 }, async () => {
    asked = await askedFor((mail) => mail.to === PEOPLE.security)
    await until(async () => asked.on.mails.some((mail) => mail.to === PEOPLE.security))
    const { anchors, audit } = asked.on.ports
    let touched: string[] = []
    asked.on.ports.anchors = {
      anchor: async (projectId) => {
        const { details, seq } = (await audit.read(projectId)).findLast((entry) => entry.details.to !== undefined)!
        if (details.from !== 'PLANNED' || details.to !== 'EXECUTED') return anchors.anchor(projectId)
        asked.on.ports.anchors = anchors
        touched = [...asked.on.systems.touched]
        const revision = details.revision!
        await append('RUN_RECORDED', { from: 'PLANNED', to: 'PLANNED', revision })
        await append('CHANGE_NOT_MADE', { entry: String(seq), revision })
        await edit('PLANNED')
        throw new WaybillError('CONNECTION_FAILED', 'killed')
      },
    }
    const link = linkIn(asked.mail(PEOPLE.security))
    await post(link, await filled(link, 'approve'))
    await asked.on.runner.settled()
    expect(await chain(asked, 'RUN_FAILED')).toMatchObject([
      { details: { code: 'PLAN_NOT_AUTHORISED', reason: expect.stringMatching(NOT_WRITTEN) } },
    ])
    await anchors.anchor(asked.projectId)
    for (const worker of ['prepare-target', 'finish-target'] as const)
      await expect(byHand(worker)).rejects.toMatchObject(refused(/says it is PLANNED, its audit chain says EXECUTED/))
    expect(touched.length).toBeGreaterThan(0)
    expect(asked.on.systems.touched).toEqual(touched)
  })

  type Claim = (revision: number) => Record<string, string>
  it.each<[string, Claim, RegExp, RegExp | null]>([
    [
      'the next revision',
      (revision) => ({ to: 'PLANNED', revision: String(revision + 1) }),
      /is stored in revision \d+, the chain leaves it in revision \d+/,
      null,
    ],
    [
      'the next revision for a move',
      (revision) => ({ to: 'PLAN_DRAFTED', revision: String(revision + 1) }),
      /is stored in revision \d+, the chain leaves it in revision \d+/,
      /says it is PLANNED, its audit chain says PLAN_DRAFTED/,
    ],
    ['one that was', (revision) => ({ to: 'PLANNED', revision: String(revision - 1) }), NOT_WRITTEN, NOT_WRITTEN],
    ['one far ahead', (revision) => ({ to: 'EXECUTED', revision: String(revision + 60) }), NOT_WRITTEN, NOT_WRITTEN],
  ])('stop a project by taking %s, and the target stays as it is', { timeout: 60_000 }, async (_what, claim, says, worker) => {
    asked = await askedFor((mail) => mail.to === PEOPLE.security)
    await until(async () => asked.on.mails.some((mail) => mail.to === PEOPLE.security))
    const { revision, state } = await asked.on.ports.projects.get(asked.projectId)
    await append('RUN_RECORDED', { from: state, ...claim(revision) })
    const link = linkIn(asked.mail(PEOPLE.security))
    expect((await post(link, await filled(link, 'approve'))).status).toBe(200)
    await asked.on.runner.settled()
    expect(await asked.on.ports.projects.get(asked.projectId)).toMatchObject({ revision, state: 'PLANNED' })
    const failed = await chain(asked, 'RUN_FAILED')
    expect(failed).toMatchObject([{ details: { code: 'EVIDENCE_INVALID', reason: expect.stringMatching(says) } }])
    if (worker !== null) await expect(byHand('prepare-target')).rejects.toMatchObject(refused(worker))
    expect(asked.on.systems.touched).toEqual([])
  })

  it('do not bring a project forward: a move that no anchor lies over is not believed', { timeout: 60_000 }, async () => {
    asked = await askedFor((mail) => mail.to === PEOPLE.qa_lead)
    const { revision, state } = await asked.on.ports.projects.get(asked.projectId)
    expect(state).toBe('PR_CREATED')
    await append('PARALLEL_RUN_COMPLETE', { from: state, to: 'PARALLEL_VALIDATED', revision: String(revision + 1) })
    await edit('PARALLEL_VALIDATED', 'next')
    await expect(byHand('run-checks')).rejects.toMatchObject(refused(/the change to PARALLEL_VALIDATED .* was not anchored/))
  })
})

describe('what the log has not heard of yet', () => {
  const forSecurity = async () => {
    asked = await askedFor((mail) => mail.to === PEOPLE.security)
    await until(async () => asked.on.mails.some((mail) => mail.to === PEOPLE.security))
    return linkIn(asked.mail(PEOPLE.security))
  }

  it('is no approval: one whose process died before its entry opens nothing until the schedule has entered it', {
    timeout: 60_000,
  }, async () => {
    const link = await forSecurity()
    const { audit } = asked.on.ports
    const fields = await filled(link, 'approve')
    asked.on.ports.audit = { ...audit, append: () => Promise.reject(new Error('killed')) }
    expect((await post(link, fields)).status).toBe(500)
    asked.on.ports.audit = audit
    const taken = async () => (await chain(asked, 'DECISION_TAKEN')).filter(({ actor }) => actor === PEOPLE.security).length
    expect([(await stand(asked)).touched, await taken()]).toEqual([[], 0])
    await expect(byHand('prepare-target')).rejects.toMatchObject(
      refused(/the audit log knows no approval of PLANNED->EXECUTED by security/),
    )
    await tellOutcomes(asked.on.ports)
    await until(async () => (await stand(asked)).touched.length > 0)
    expect(await taken()).toBe(1)
  })

  it('is no rejection: one lies under an anchor before anybody is told of it', { timeout: 60_000 }, async () => {
    const link = await forSecurity()
    const { tasks } = asked.on.ports
    asked.on.ports.tasks = { ...tasks, succeed: () => Promise.reject(new Error('killed')) }
    expect((await post(link, await filled(link, 'reject', { reason: 'no' }))).status).toBe(200)
    const rejected = (await chain(asked, 'DECISION_TAKEN')).at(-1)!
    expect(rejected).toMatchObject({ actor: PEOPLE.security, details: { decision: 'REJECTED' } })
    const newest = (await asked.on.ports.artifacts.list(`projects/${asked.projectId}/anchors/`)).at(-1)!
    expect(Number(/(\d+)\.dsse\.json$/.exec(newest)![1])).toBeGreaterThanOrEqual(rejected.seq)
    asked.on.ports.tasks = tasks
  })
})
