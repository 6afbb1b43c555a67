/** What the schedule and one person's click ask of the store, with many other projects in it. */
import { afterEach, expect, it } from 'vitest'
import { chase } from '../../functions/decide/chase.ts'
import { tellOutcomes } from '../../functions/decide/outbox.ts'
import { gateOfWithdrawal } from '../../functions/work/withdrawable.ts'
import type { ApprovalStore, Mail } from '../../layers/core/ports.ts'
import { approvalGroup, approvalRequest, created, decided, projectRecord } from '../contracts/samples.ts'
import { type Asked, askedFor } from './support/asked.ts'
import { filled, HOUR, post, until } from './support/decisions.ts'
import { editRecord, inDatabase } from './support/edited-record.ts'
import { linkIn, PEOPLE } from './support/story.ts'

const forTechLead = (mail: Mail) => mail.to === PEOPLE.tech_lead

let asked: Asked
afterEach(() => asked.close())

const link = () => linkIn(asked.mail(PEOPLE.tech_lead))
const state = async () => (await asked.on.ports.projects.get(asked.projectId)).state
const reminders = { reminders: { after_hours: 10, at_most: 2 } }

/** A group of a project of its own, in which somebody approved and nobody was told. */
async function another(name: string): Promise<void> {
  const { approvals } = asked.on.ports
  await created(asked.on.ports, projectRecord(name))
  await approvals.open(approvalGroup(`g-${name}`, name), [approvalRequest(`a-${name}`, `g-${name}`, name)])
  await approvals.decide(decided(approvalRequest(`a-${name}`, `g-${name}`, name)))
}

/** The store, and what each of its functions was asked for. */
function watched(store: ApprovalStore, calls: string[]): ApprovalStore {
  return new Proxy(store, {
    get: (all, name: keyof ApprovalStore) =>
      Object.assign((...given: unknown[]) => {
        calls.push(`${name} ${typeof given[0] === 'string' ? given[0] : ''}`)
        return (all[name] as (...given: unknown[]) => unknown)(...given)
      }),
  })
}

it('one person who decides asks for the groups of that project alone, however many others are open', async () => {
  asked = await askedFor(forTechLead)
  for (let n = 0; n < 12; n++) await another(`other-${n}`)
  const { approvals } = asked.on.ports
  const calls: string[] = []
  const fields = await filled(link(), 'approve')
  asked.on.ports.approvals = watched(approvals, calls)
  expect((await post(link(), fields)).status).toBe(200)
  asked.on.ports.approvals = approvals
  await until(async () => (await state()) === 'PLANNED')
  expect(calls.filter((call) => call.startsWith('told '))).toHaveLength(1)
  expect(calls.filter((call) => call.includes('other-') || call.startsWith('untold'))).toEqual([])
})

it('a task token that does not open, or a request that cannot be read, keeps nobody else from being told or reminded, and whoever called hears of it', async () => {
  asked = await askedFor(forTechLead, { policy: { asking: reminders } })
  const { approvals } = asked.on.ports
  const spoiled = ['token', 'request'].flatMap((what) => Array.from({ length: 12 }, (_, n) => `spoiled-${what}-${n}`))
  for (const each of spoiled) await another(each)
  inDatabase(asked.on.home, (db) => {
    db.exec("UPDATE approval_groups SET sealed_token = x'00' WHERE project_id LIKE 'spoiled-token-%'")
    db.exec("UPDATE approval_requests SET body = '{' WHERE project_id LIKE 'spoiled-request-%'")
  })
  await expect(approvals.group('g-spoiled-token-0')).rejects.toMatchObject({ code: 'EVIDENCE_INVALID' })
  asked.on.later(11 * HOUR)
  const before = asked.on.mails.length
  const calls: string[] = []
  asked.on.ports.approvals = watched(approvals, calls)
  await expect(chase(asked.on.ports)).rejects.toThrow()
  asked.on.ports.approvals = approvals
  expect(asked.on.mails).toHaveLength(before + 1)
  expect([...spoiled, asked.projectId].filter((each) => !calls.includes(`byProject ${each}`))).toEqual([])
  expect((await post(link(), await filled(link(), 'approve'))).status).toBe(200)
  await until(async () => (await state()) === 'PLANNED')
})

it('a listing of all projects tells a group once somebody of each role has decided, whoever else was asked, and none before', async () => {
  asked = await askedFor(forTechLead)
  const { tasks, approvals } = asked.on.ports
  const [request] = (await approvals.byProject(asked.projectId)).filter((each) => each.role === 'tech_lead')
  await approvals.join({ ...request!, approval_id: 'a-kay', approver: 'kay@example.org' })
  expect(await tellOutcomes(asked.on.ports)).toEqual({ told: 0, failures: [] })
  asked.on.ports.tasks = { ...tasks, succeed: () => Promise.reject(new Error('away')) }
  expect((await post(link(), await filled(link(), 'approve'))).status).toBe(200)
  expect((await tellOutcomes(asked.on.ports)).failures).toHaveLength(1)
  asked.on.ports.tasks = tasks
  expect(await tellOutcomes(asked.on.ports)).toEqual({ told: 1, failures: [] })
  await until(async () => (await state()) === 'PLANNED')
})

it('what a schedule tells for the first time goes on, though nobody of the project is waited for any more', async () => {
  asked = await askedFor(forTechLead)
  const { tasks } = asked.on.ports
  asked.on.ports.tasks = { ...tasks, succeed: () => Promise.reject(new Error('away')) }
  expect((await post(link(), await filled(link(), 'approve'))).status).toBe(200)
  await expect(chase(asked.on.ports)).rejects.toThrow('away')
  asked.on.ports.tasks = tasks
  await chase(asked.on.ports)
  await until(async () => (await state()) === 'PLANNED')
})

it.each([
  ['FAILED', { state: 'FAILED', failed_from: 'PLAN_DRAFTED' }],
  ['REJECTED', { state: 'REJECTED' }],
  ['EVIDENCE_COMPLETE', { state: 'EVIDENCE_COMPLETE' }],
] as const)('the groups of a project that is %s are closed, and nothing says that they were told', async (_, edit) => {
  asked = await askedFor(forTechLead)
  const { approvals, projects } = asked.on.ports
  const before = await projects.get(asked.projectId)
  const [group] = await approvals.untold()
  expect(group).toMatchObject({ project_id: asked.projectId })
  editRecord(asked.on.home, { ...before, ...edit })
  await chase(asked.on.ports)
  expect(await approvals.untold()).toEqual([])
  expect(await approvals.toldAt(group!.group_id)).toBeNull()
  // A failed plan can still be withdrawn: nobody said that it may be carried out.
  if (edit.state === 'FAILED') expect(await gateOfWithdrawal(asked.on.ports, await projects.get(asked.projectId))).not.toBeNull()
  editRecord(asked.on.home, before)
})

it('looks after projects in another order each time, so that the same are not always the last', async () => {
  asked = await askedFor(forTechLead)
  for (let n = 0; n < 6; n++) await another(`other-${n}`)
  const { approvals } = asked.on.ports
  const firsts = new Set<string>()
  for (let round = 0; round < 12; round++) {
    const calls: string[] = []
    asked.on.ports.approvals = watched(approvals, calls)
    asked.on.later(60_000)
    await chase(asked.on.ports).catch(() => {})
    firsts.add(calls.find((call) => call.startsWith('byProject'))!)
  }
  asked.on.ports.approvals = approvals
  expect(firsts.size).toBeGreaterThan(2)
})
