import { afterEach, describe, expect, it } from 'vitest'
import { tellOutcomes } from '../../functions/decide/outbox.ts'
import { nextEntry } from '../../layers/core/audit-chain.ts'
import type { LifecycleState } from '../../layers/core/schemas/project.ts'
import { type Asked, askedFor } from '../functions/support/asked.ts'
import { chain, filled, post, stand, toTheEnd, until } from '../functions/support/decisions.ts'
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
    // An honest anchor signed since lies over what was appended as well; the earlier ones say what stood before.
    await asked.on.ports.anchors.anchor(asked.projectId)
    for (const worker of ['prepare-target', 'finish-target'] as const)
      await expect(byHand(worker)).rejects.toMatchObject(refused(/says it is PLANNED, its audit chain says EVIDENCE_COMPLETE/))
    expect(asked.on.systems.touched).toEqual(touched)
    expect((await chain(asked, 'WORK_REFUSED')).length).toBeGreaterThan(0)
  })

  it('do not take the revisions to come: a move passed over for a change that moved nothing stops every worker', {
    timeout: 60_000,
  }, async () => {
    asked = await askedFor((mail) => mail.to === PEOPLE.tech_lead)
    const { revision, state } = await asked.on.ports.projects.get(asked.projectId)
    for (let next = revision + 1; next < revision + 60; next++) await append('RUN_RECORDED', { to: state, revision: String(next) })
    const read = asked.on.mails.length
    await post(linkIn(asked.mail(PEOPLE.tech_lead)), await filled(linkIn(asked.mail(PEOPLE.tech_lead)), 'approve'))
    await toTheEnd(asked, read).catch(() => {})
    const touched = [...asked.on.systems.touched]
    await editRecord('PLANNED')
    await expect(byHand('prepare-target')).rejects.toMatchObject(refused(/which a change that moved nothing had taken/))
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
