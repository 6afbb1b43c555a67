import { afterEach, describe, expect, it } from 'vitest'
import type { Clock } from '../../layers/core/ports.ts'
import { advance } from '../../layers/core/project-service.ts'
import type { WorkerTask } from '../../layers/core/schemas/work.ts'
import { type Asked, askedFor } from '../functions/support/asked.ts'
import { chain, filled, HOUR, heading, post, settled, stand } from '../functions/support/decisions.ts'
import { type TestPlatform, testPlatform } from '../functions/support/platform.ts'
import { linkIn, PEOPLE, storeSpec, tell } from '../functions/support/story.ts'

const open: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const each of open.splice(0)) await each.close()
})

async function waiting(): Promise<{ asked: Asked; link: URL; at(instant: number): void }> {
  const asked = await askedFor((mail) => mail.to === PEOPLE.security)
  open.push(asked)
  const clock: Clock = { now: () => new Date() }
  asked.on.ports.clock = { now: () => clock.now() }
  return {
    asked,
    link: linkIn(asked.mail(PEOPLE.security)),
    at: (instant) => {
      clock.now = () => new Date(instant)
    },
  }
}

describe('the end of a request', () => {
  it('is its very millisecond: one before it the page opens, from it on nothing is decided', async () => {
    const { asked, link, at } = await waiting()
    const request = (await asked.on.ports.approvals.byProject(asked.projectId)).find(({ role }) => role === 'security')!
    const end = Date.parse(request.expires_at)
    at(end - 1)
    expect((await fetch(link)).status).toBe(200)
    const fields = await filled(link, 'approve')
    const before = await stand(asked)
    at(end)
    expect(await heading(await post(link, fields))).toEqual([410, 'This request has expired'])
    await settled()
    expect(await stand(asked)).toEqual(before)
    expect(asked.on.systems.touched).toEqual([])
    expect((await chain(asked, 'DECISION_REFUSED')).map(({ details }) => details.why)).toEqual(['expired'])
  })

  it('a form from a page of the future decides nothing: the clock was set back', async () => {
    const { asked, link, at } = await waiting()
    const now = Date.now()
    at(now + HOUR)
    const fields = await filled(link, 'approve')
    at(now)
    const before = await stand(asked)
    expect((await post(link, fields)).status).toBe(403)
    expect(await stand(asked)).toEqual(before)
    expect((await chain(asked, 'DECISION_REFUSED')).map(({ details }) => details.why)).toEqual(['stale-form'])
  })
})

describe('a clock that is set back', () => {
  /** Approved, and stopped right before the first worker. */
  async function approved(): Promise<{ on: TestPlatform; id: string; task: WorkerTask }> {
    const on = await testPlatform()
    open.push(on)
    const id = await storeSpec(on)
    let stopped = true
    on.failNext('prepare-target', new Error('not yet'), 20, () => stopped)
    await tell(on, id)
    stopped = false
    await advance(on.ports, id, { to: 'PLANNED', actor: 'test', action: 'STANDS_AGAIN' })
    on.systems.touched.length = 0
    on.systems.opened.length = 0
    return { on, id, task: { worker: 'prepare-target', project_id: id, run_id: 'by-hand', items: null, ids: [] } }
  }

  it('does not bring an expired plan back: an anchor was signed later than that', async () => {
    const { on, id, task } = await approved()
    on.later(200 * HOUR)
    await expect(on.work(task)).rejects.toMatchObject({ code: 'PLAN_NOT_AUTHORISED', message: expect.stringContaining('expired') })
    await on.ports.anchors.anchor(id)
    on.later(-200 * HOUR)
    await expect(on.work(task)).rejects.toMatchObject({ code: 'PLAN_NOT_AUTHORISED', message: expect.stringContaining('set the clock') })
    expect([on.systems.touched, on.systems.opened]).toEqual([[], []])
    const refused = (await on.ports.audit.read(id)).filter(({ action }) => action === 'WORK_REFUSED')
    expect(refused.map(({ details }) => /expired|set the clock/.exec(details.why ?? '')?.[0])).toEqual(['expired', 'set the clock'])
  })

  it('by the seconds that two machines differ stops nobody', async () => {
    const { on, task } = await approved()
    on.later(-60_000)
    await on.work(task)
    expect(on.systems.touched).toEqual(['prepare'])
  })
})
