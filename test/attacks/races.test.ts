import { afterEach, describe, expect, it } from 'vitest'
import { artifactOf } from '../../layers/core/artifacts.ts'
import { type Asked, askedFor } from '../functions/support/asked.ts'
import { chain, filled, post, settled, stand, until } from '../functions/support/decisions.ts'
import { linkIn, PEOPLE } from '../functions/support/story.ts'

let asked: Asked
afterEach(() => asked.close())

const linkOf = (person: string) => linkIn(asked.mail(person))
const mailed = (person: string) => until(async () => asked.on.mails.some((mail) => mail.to === person))
const ended = () => until(async () => asked.on.runner.describe(asked.run).status !== 'RUNNING')

describe('many at the same moment', () => {
  it('the last two people and five outboxes: the state machine hears it once, and every chunk is copied once', async () => {
    asked = await askedFor((mail) => mail.to === PEOPLE.data_owner || mail.to === PEOPLE.security)
    await mailed(PEOPLE.data_owner)
    await mailed(PEOPLE.security)
    const [owner, security] = [linkOf(PEOPLE.data_owner), linkOf(PEOPLE.security)]
    const forms = [await filled(owner, 'approve'), await filled(security, 'approve')] as const
    const heard: unknown[] = []
    const { tasks } = asked.on.ports
    asked.on.ports.tasks = {
      ...tasks,
      succeed: async (token, output) => {
        await tasks.succeed(token, output)
        heard.push(output)
      },
    }
    const outbox = () => fetch(new URL('/outbox', owner), { method: 'POST' })
    const [first, second] = await Promise.all([
      post(owner, forms[0]),
      post(security, forms[1]),
      outbox(),
      outbox(),
      outbox(),
      outbox(),
      outbox(),
    ])
    expect([first.status, second.status]).toEqual([200, 200])
    await until(async () => asked.on.systems.touched.includes('finish'))
    expect(heard.slice(0, 1)).toEqual([{ decision: 'APPROVED' }])
    expect(asked.on.systems.touched.filter((call) => call === 'prepare')).toHaveLength(1)
    expect(new Set(asked.on.systems.touched).size).toBe(asked.on.systems.touched.length)
    expect((await chain(asked, 'DECISION_TAKEN')).filter(({ details }) => details.transition === 'PLANNED->EXECUTED')).toHaveLength(2)
  })

  it('two signers of one plan: one signature is kept, and both mean it', async () => {
    asked = await askedFor((mail) => mail.to === PEOPLE.security)
    const { ports } = asked.on
    const before = artifactOf(await ports.projects.get(asked.projectId), 'signed_plan')
    const answers = await Promise.allSettled(
      ['a', 'b', 'c'].map((run) => asked.on.call('sign-plan', { project_id: asked.projectId, run_id: run })),
    )
    const after = artifactOf(await ports.projects.get(asked.projectId), 'signed_plan')
    expect(after).toEqual(before)
    expect(answers).toHaveLength(3)
    expect((await ports.artifacts.list(`projects/${asked.projectId}/signed_plan/`)).length).toBe(1)
    expect(asked.on.systems.touched).toEqual([])
  })
})

describe('a withdrawal at the moment of execution', () => {
  it('after the last approval and before the machine hears of it: the machine starts, and the first worker refuses', async () => {
    asked = await askedFor((mail) => mail.to === PEOPLE.security)
    await mailed(PEOPLE.security)
    const owner = linkOf(PEOPLE.data_owner)
    const { tasks } = asked.on.ports
    let withdrawn = 0
    asked.on.ports.tasks = {
      ...tasks,
      succeed: async (token, output) => {
        asked.on.ports.tasks = tasks
        withdrawn = (await post(owner, await filled(owner, 'withdraw', { reason: 'I saw something' }))).status
        await tasks.succeed(token, output)
      },
    }
    expect((await post(linkOf(PEOPLE.security), await filled(linkOf(PEOPLE.security), 'approve'))).status).toBe(200)
    expect(withdrawn).toBe(200)
    await ended()
    await settled()
    const { state, touched } = await stand(asked)
    expect(touched).toEqual([])
    expect(state).toBe('FAILED')
    expect((await chain(asked, 'RUN_FAILED')).at(-1)?.details.code).toBe('PLAN_NOT_AUTHORISED')
    expect(await chain(asked, 'APPROVAL_WITHDRAWN')).toHaveLength(1)
  })

  it('between two workers: the next one refuses, and nothing is copied', async () => {
    asked = await askedFor((mail) => mail.to === PEOPLE.security)
    await mailed(PEOPLE.security)
    const owner = linkOf(PEOPLE.data_owner)
    // The mark that the machine was told is not there yet: a store that was away for a moment.
    const { approvals } = asked.on.ports
    asked.on.ports.approvals = { ...approvals, told: async () => Promise.reject(new Error('away')) }
    const { connectors } = asked.on.ports
    asked.on.ports.connectors = {
      ...connectors,
      target: async (...args) => {
        const target = await connectors.target(...args)
        return {
          ...target,
          prepare: async (...planned) => {
            await target.prepare(...planned)
            asked.on.ports.connectors = connectors
            const form = await filled(owner, 'withdraw', { reason: 'stop' })
            expect((await post(owner, form)).status).toBe(200)
          },
        }
      },
    }
    await post(linkOf(PEOPLE.security), await filled(linkOf(PEOPLE.security), 'approve'))
    await ended()
    expect(asked.on.systems.touched.filter((call) => call.startsWith('copy'))).toEqual([])
    expect((await stand(asked)).state).toBe('FAILED')
    expect((await chain(asked, 'RUN_FAILED')).at(-1)?.details.code).toBe('PLAN_NOT_AUTHORISED')
  })
})

it('somebody who once saw the address of a request cannot fill the log, blames nobody, and keeps nobody from deciding', async () => {
  asked = await askedFor((mail) => mail.to === PEOPLE.security)
  await mailed(PEOPLE.security)
  const link = linkOf(PEOPLE.security)
  const form = await filled(link, 'approve')
  const guess = new URLSearchParams({ t: 'A'.repeat(43), decision: 'approve' })
  for (let tries = 0; tries < 110; tries++) expect((await post(link, guess)).status).toBe(403)
  const refusals = await chain(asked, 'DECISION_REFUSED')
  expect(refusals).toHaveLength(100)
  expect(new Set(refusals.map(({ actor }) => actor))).toEqual(new Set(['unknown']))
  expect(refusals.map(({ details }) => details.more).filter((more) => more !== undefined)).toEqual([
    'further attempts at this request are refused and not recorded',
  ])
  expect(asked.on.systems.touched).toEqual([])
  // What somebody with the genuine link is refused is still written down, under that name.
  const stale = new URLSearchParams(form)
  stale.set('csrf', `1.${'a'.repeat(64)}`)
  expect((await post(link, stale)).status).toBe(403)
  expect((await chain(asked, 'DECISION_REFUSED')).slice(100).map(({ actor, details }) => [actor, details.why])).toEqual([
    [PEOPLE.security, 'stale-form'],
  ])
  expect((await post(link, form)).status).toBe(200)
})
