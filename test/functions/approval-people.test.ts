import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, describe, expect, it } from 'vitest'
import { chase } from '../../functions/decide/chase.ts'
import { tellOutcomes } from '../../functions/decide/outbox.ts'
import { withdrawPlan } from '../../functions/decide/withdrawal.ts'
import { waiversPrefix } from '../../functions/work/project-waivers.ts'
import { standingOf } from '../../functions/work/separation-of-duties.ts'
import { acceptedStatements, readApproval } from '../../layers/core/flow/statements.ts'
import type { Mail } from '../../layers/core/ports.ts'
import type { Asking, Policy } from '../../layers/core/schemas/policy.ts'
import { PREDICATES, signStatement, statementOf } from '../../layers/core/statement.ts'
import { findingId } from '../../layers/core/waivers.ts'
import { created, projectRecord } from '../contracts/samples.ts'
import { type Asked, askedFor } from './support/asked.ts'
import { chain, filled, HOUR, heading, post, settled, stand, toTheEnd, until } from './support/decisions.ts'
import { answer, asksToDecide, linkIn, PEOPLE } from './support/story.ts'

const CARL = 'carl@example.com'
const DORA = 'dora@example.com'
const forTechLead = (mail: Mail) => mail.to === PEOPLE.tech_lead
const forSecurity = (mail: Mail) => mail.to === PEOPLE.security

let asked: Asked
afterEach(() => asked.close())

async function waiting(who: (mail: Mail) => boolean, asking: Asking, policy: Partial<Policy> = {}): Promise<Asked> {
  asked = await askedFor(who, { policy: { ...policy, asking } })
  return asked
}
const state = async () => (await asked.on.ports.projects.get(asked.projectId)).state
const mailsTo = (to: string) => asked.on.mails.filter((mail) => mail.to === to)
const link = (to: string) => linkIn(asked.mail(to))

describe('reminders', () => {
  const reminders = { reminders: { after_hours: 10, at_most: 2 } }

  it('come after the hours of the policy, at most as often as it says, and once each', async () => {
    await waiting(forTechLead, reminders)
    const counts: number[] = []
    for (const hours of [9, 2, 0, 10, 10, 20]) {
      asked.on.later(hours * HOUR)
      await chase(asked.on.ports)
      counts.push(mailsTo(PEOPLE.tech_lead).length)
    }
    expect(counts).toEqual([1, 2, 2, 3, 3, 3])
    const [, reminder] = mailsTo(PEOPLE.tech_lead)
    expect(reminder?.subject).toMatch(/^Reminder: /)
    expect(reminder?.text).toContain('have not decided yet')
    expect(linkIn(reminder!).href).toBe(linkIn(mailsTo(PEOPLE.tech_lead)[0]!).href)
    expect((await chain(asked, 'APPROVER_REMINDED')).map((entry) => entry.details.reminder)).toEqual(['1', '2'])
  })

  it('are never sent twice: not by many at once, not after a crash between claim and mail', async () => {
    await waiting(forTechLead, reminders)
    asked.on.later(11 * HOUR)
    await Promise.all(Array.from({ length: 8 }, () => chase(asked.on.ports)))
    expect(mailsTo(PEOPLE.tech_lead)).toHaveLength(2)
    asked.on.later(10 * HOUR)
    const { notifier } = asked.on.ports
    asked.on.ports.notifier = { send: () => Promise.reject(new Error('killed')) }
    // Who called hears of it: the schedule's alarm rings.
    await expect(chase(asked.on.ports)).rejects.toThrow('killed')
    asked.on.ports.notifier = notifier
    await chase(asked.on.ports)
    expect(mailsTo(PEOPLE.tech_lead)).toHaveLength(2)
  })

  it('come also beside a project whose record somebody spoiled', async () => {
    await waiting(forTechLead, reminders)
    await created(asked.on.ports, projectRecord('a-spoiled-one'))
    const db = new DatabaseSync(join(asked.on.home, 'waybill.sqlite'))
    db.exec(`UPDATE projects SET body = '{' WHERE project_id = 'a-spoiled-one'`)
    db.close()
    asked.on.later(11 * HOUR)
    await chase(asked.on.ports)
    expect(mailsTo(PEOPLE.tech_lead)).toHaveLength(2)
  })

  it('go to nobody who has decided, and to nobody where the policy has none', async () => {
    await waiting(forSecurity, reminders)
    await answer(asked.on, asked.mail(PEOPLE.data_owner), { decision: 'approve' })
    asked.on.later(30 * HOUR)
    const before = mailsTo(PEOPLE.data_owner).length
    await chase(asked.on.ports)
    expect(mailsTo(PEOPLE.data_owner)).toHaveLength(before)
    expect(mailsTo(PEOPLE.security)).toHaveLength(2)
    expect(mailsTo(PEOPLE.tech_lead)).toHaveLength(1)
    await asked.close()
    await waiting(forTechLead, {})
    asked.on.later(50 * HOUR)
    await chase(asked.on.ports)
    expect(asked.on.mails.filter(asksToDecide)).toHaveLength(1)
  })
})

describe('expiry', () => {
  it('ends the wait, says so on the page, and a new start asks anew', async () => {
    await waiting(forTechLead, {})
    const old = link(PEOPLE.tech_lead)
    asked.on.later(73 * HOUR)
    const page = await fetch(old)
    const text = await page.text()
    expect(page.status).toBe(410)
    expect(text).toContain('What to do: write to author@example.com')
    await chase(asked.on.ports)
    await until(async () => (await state()) === 'FAILED')
    const project = await asked.on.ports.projects.get(asked.projectId)
    expect(project.failure).toMatchObject({ code: 'APPROVAL_EXPIRED', reason: expect.stringContaining('tech lead') })
    expect(project.failed_from).toBe('PLAN_DRAFTED')
    expect(await chain(asked, 'APPROVAL_EXPIRED')).toHaveLength(1)
    expect(asked.on.systems.touched).toEqual([])
    // Nobody was asked again by a retry.
    expect(asked.on.mails.filter(asksToDecide)).toHaveLength(1)
    await chase(asked.on.ports)
    expect(await chain(asked, 'APPROVAL_EXPIRED')).toHaveLength(1)
    await asked.on.runner.start('migration', `${asked.run}-2`, { project_id: asked.projectId, run_id: 'run-2' })
    await until(async () => mailsTo(PEOPLE.tech_lead).length === 2)
    expect((await fetch(link(PEOPLE.tech_lead))).status).toBe(200)
  })

  it('does not come when everybody needed has decided, or somebody rejected', async () => {
    await waiting(forTechLead, {})
    const { tasks } = asked.on.ports
    asked.on.ports.tasks = { ...tasks, succeed: () => Promise.reject(new Error('away')) }
    expect((await post(link(PEOPLE.tech_lead), await filled(link(PEOPLE.tech_lead), 'approve'))).status).toBe(200)
    asked.on.ports.tasks = tasks
    asked.on.later(73 * HOUR)
    await chase(asked.on.ports)
    expect(await chain(asked, 'APPROVAL_EXPIRED')).toEqual([])
    await tellOutcomes(asked.on.ports)
    await until(async () => (await state()) === 'PLANNED')
  })
})

describe('delegation', () => {
  const delegation = { delegation: { roles: ['tech_lead' as const, 'security' as const], at_most: 2 } }
  const hand = async (from: URL, to: string) => post(from, await filled(from, 'delegate', { delegate_to: to }))

  it('gives the delegate a link, kills the old one, is audited, and stands in the signed approval', async () => {
    await waiting(forTechLead, delegation)
    const old = link(PEOPLE.tech_lead)
    expect(await (await fetch(old)).text()).toContain('name="delegate_to"')
    expect(await heading(await hand(old, CARL))).toEqual([200, 'Handed on'])
    const mine = link(CARL)
    expect(asked.mail(CARL).subject).toMatch(/^Handed on to you: /)
    expect(mine.href).not.toBe(old.href)
    expect(await heading(await fetch(old))).toEqual([410, 'You handed this on'])
    const before = await stand(asked)
    expect((await post(old, await filled(mine, 'approve'))).status).toBe(403)
    const stale = await filled(mine, 'approve', { t: old.searchParams.get('t')! })
    expect(await heading(await post(old, stale))).toEqual([410, 'You handed this on'])
    expect(await stand(asked)).toEqual(before)
    expect((await chain(asked, 'REQUEST_DELEGATED'))[0]).toMatchObject({ actor: PEOPLE.tech_lead, details: { to: CARL } })
    expect((await post(mine, await filled(mine, 'approve'))).status).toBe(200)
    await until(async () => (await state()) === 'PLANNED')
    const [key] = await asked.on.ports.artifacts.list(`projects/${asked.projectId}/approvals/`)
    const pointer = await asked.on.ports.artifacts.find(key!)
    const { payload } = JSON.parse(Buffer.from(await asked.on.ports.artifacts.get(pointer!)).toString()) as { payload: string }
    const { predicate } = JSON.parse(Buffer.from(payload, 'base64').toString()) as { predicate: unknown }
    expect(predicate).toMatchObject({ approver: CARL, role: 'tech_lead', delegated_by: [PEOPLE.tech_lead] })
  })

  const refusals: [what: string, to: string, says: RegExp][] = [
    ['the author', 'author@example.com', /wrote this migration/],
    ['the author by a plus alias in capitals', 'AUTHOR+x@Example.com', /wrote this migration/],
    ['oneself by dots', 'techlead@example.com', /is the person who is asked already/],
    ['somebody who will be asked in another role', PEOPLE.security, /will be asked as security/],
    ['that one by an alias', 'Security+2@EXAMPLE.com', /will be asked as security/],
    ['no address', 'somebody', /one e-mail address/],
    ['two addresses', 'a@example.com, b@example.com', /one e-mail address/],
    ['an address with a line break', 'a@example.com\nBcc: b@example.com', /one e-mail address/],
    ['an address that is turned around', 'a\u202E@example.com', /one e-mail address/],
  ]
  it('to somebody who must not decide is refused, audited, and changes nothing', async () => {
    await waiting(forTechLead, delegation)
    const before = await stand(asked)
    for (const [what, to, says] of refusals) {
      const response = await hand(link(PEOPLE.tech_lead), to)
      const page = await response.text()
      expect([what, response.status, says.test(page)]).toEqual([what, 403, true])
      expect(page).not.toContain('\u202E')
    }
    expect(await stand(asked)).toEqual(before)
    expect(await chain(asked, 'DECISION_REFUSED')).toHaveLength(refusals.length)
    expect(asked.on.mails.filter(asksToDecide)).toHaveLength(1)
  })

  it('goes along a chain as far as the policy lets it, and never in a circle', async () => {
    await waiting(forTechLead, delegation)
    expect((await hand(link(PEOPLE.tech_lead), CARL)).status).toBe(200)
    const circle = await hand(link(CARL), 'Tech.Lead+again@example.com')
    expect([circle.status, await circle.text()]).toEqual([403, expect.stringContaining('had this request before')])
    expect((await hand(link(CARL), DORA)).status).toBe(200)
    expect(await (await fetch(link(DORA))).text()).not.toContain('name="delegate_to"')
    const further = await hand(link(DORA), 'eve@example.com')
    expect([further.status, await further.text()]).toEqual([403, expect.stringContaining('any further')])
    const requests = await asked.on.ports.approvals.byProject(asked.projectId)
    expect(requests.find((request) => request.approver === DORA)?.delegated_by).toEqual([PEOPLE.tech_lead, CARL])
  })

  it('a delegate on the plan cannot approve the execution in another role too', async () => {
    await waiting(forTechLead, delegation)
    await hand(link(PEOPLE.tech_lead), CARL)
    await post(link(CARL), await filled(link(CARL), 'approve'))
    await until(async () => asked.on.mails.some(forSecurity))
    await settled()
    const response = await hand(link(PEOPLE.security), 'C.arl@example.com')
    expect([response.status, await response.text()]).toEqual([403, expect.stringContaining('is asked as tech_lead')])
  })

  it('never reaches somebody who will be asked in another role at a later gate', async () => {
    await waiting(forTechLead, delegation)
    for (const role of ['qa_lead', 'business_owner', 'release_manager'] as const) {
      const response = await hand(link(PEOPLE.tech_lead), `${PEOPLE[role].replace('@', '+x@')}`)
      expect([response.status, await response.text()]).toEqual([403, expect.stringContaining(`will be asked as ${role}`)])
    }
  })

  it('of a later gate never reaches somebody who approved the plan in another role', async () => {
    const isQa = (mail: Mail) => mail.to === PEOPLE.qa_lead
    await waiting(isQa, { delegation: { roles: ['qa_lead'], at_most: 1 } })
    const response = await hand(link(PEOPLE.qa_lead), 'Tech.Lead+x@example.com')
    expect([response.status, await response.text()]).toEqual([403, expect.stringContaining('is asked as tech_lead')])
  })

  it('is not there for a role that needs a passkey: whoever has the link alone could register one elsewhere', async () => {
    asked = await askedFor(forTechLead, { host: 'localhost', policy: { asking: { ...delegation, passkey_roles: ['tech_lead'] } } })
    expect(await (await fetch(link(PEOPLE.tech_lead))).text()).not.toContain('name="delegate_to"')
    expect(await heading(await hand(link(PEOPLE.tech_lead), 'eve@evil.example'))).toEqual([403, 'It cannot be handed on like that'])
    expect(mailsTo('eve@evil.example')).toEqual([])
  })

  it('and approving are refused to whoever waived a finding of the plan, not of another one', async () => {
    await waiting(forTechLead, delegation)
    const { artifacts, projects, signers } = asked.on.ports
    const own = (await projects.get(asked.projectId)).artifacts.migration_plan!.sha256
    const waive = async (waiver_id: string, approver: string, plan_sha256: string) => {
      const loose = { severity: 'ERROR' as const, where: '', what: 'too loose', remedy: 'be stricter' }
      const finding = { rule_id: 'tolerance-validator' as const, verdict: 'fail' as const, ...loose }
      const said = {
        ...{ waiver_id, project_id: asked.projectId, plan_sha256, finding_id: findingId(finding), finding, approver },
        ...{ role: 'engineering_manager' as const, reason: 'known', expires_at: '2099-01-01T00:00:00.000Z' },
        ...{ waived_at: '2026-01-01T00:00:00.000Z', identified_by: 'invited-address' as const },
      }
      const subject = [{ name: 'migration_plan.json', sha256: plan_sha256 }]
      const { bytes } = await signStatement(signers.approval, statementOf({ predicateType: PREDICATES.waiver, subject, predicate: said }))
      const key = `${waiversPrefix(asked.projectId)}${waiver_id}.dsse.json`
      await artifacts.put(key, bytes, { contentType: 'application/json', retainUntil: new Date() })
    }
    await waive('w-1', DORA, own)
    const response = await hand(link(PEOPLE.tech_lead), 'Dora+2@example.com')
    expect([response.status, await response.text()]).toEqual([403, expect.stringContaining('waived a finding')])
    await waive('w-2', CARL, 'ab'.repeat(32))
    expect((await hand(link(PEOPLE.tech_lead), CARL)).status).toBe(200)
    await waive('w-3', CARL, own)
    const approving = await post(link(CARL), await filled(link(CARL), 'approve'))
    expect([approving.status, await approving.text()]).toEqual([403, expect.stringContaining('You waived a finding')])
    expect((await stand(asked)).statements).toBe(0)
  })

  it('and an approval at once are one of the two: an approval stored late counts for nothing', async () => {
    await waiting((mail) => mail.to === PEOPLE.data_owner || mail.to === PEOPLE.security, {
      delegation: { roles: ['data_owner'], at_most: 1 },
    })
    await until(async () => mailsTo(PEOPLE.data_owner).length > 0 && mailsTo(PEOPLE.security).length > 0)
    const from = link(PEOPLE.data_owner)
    const [yes, on] = [await filled(from, 'approve'), await filled(from, 'delegate', { delegate_to: DORA })]
    const { artifacts } = asked.on.ports
    let handed = 0
    // The hand-over comes between the look for a stored statement and the statement itself.
    asked.on.ports.artifacts = {
      ...artifacts,
      put: async (key, ...rest) => {
        if (handed === 0 && key.includes('/approvals/')) {
          handed = 1
          handed = (await post(from, on)).status
        }
        return artifacts.put(key, ...rest)
      },
    }
    expect([(await post(from, yes)).status, handed]).toEqual([409, 200])
    asked.on.ports.artifacts = artifacts
    expect((await post(link(PEOPLE.security), await filled(link(PEOPLE.security), 'approve'))).status).toBe(200)
    await settled()
    expect((await stand(asked)).touched).toEqual([])
    expect(await state()).toBe('PLANNED')
    await post(link(DORA), await filled(link(DORA), 'approve'))
    await until(async () => (await stand(asked)).touched.length > 0)
  })

  it('counts before the log tells it: an approval whose process died behind its statement opens no gate', async () => {
    await waiting(forTechLead, delegation)
    const from = link(PEOPLE.tech_lead)
    const [yes, on] = [await filled(from, 'approve'), await filled(from, 'delegate', { delegate_to: CARL })]
    const { artifacts, audit } = asked.on.ports
    asked.on.ports.artifacts = {
      ...artifacts,
      put: async (key, ...rest) => {
        if (!key.includes('/approvals/')) return artifacts.put(key, ...rest)
        asked.on.ports.artifacts = artifacts
        // Handed on at this moment, and neither process comes to write an entry.
        asked.on.ports.audit = { ...audit, append: () => Promise.reject(new Error('killed')) }
        expect((await post(from, on)).status).toBe(500)
        return artifacts.put(key, ...rest)
      },
    }
    expect((await post(from, yes)).status).toBe(500)
    expect((await stand(asked)).statements).toBe(1)
    asked.on.ports.audit = audit
    const project = await asked.on.ports.projects.get(asked.projectId)
    const plan = project.artifacts.migration_plan!.sha256
    expect(await standingOf(asked.on.ports, project, 'PLAN_DRAFTED->PLANNED', plan)).toMatchObject({
      approved: false,
      missing: ['tech_lead'],
    })
    await tellOutcomes(asked.on.ports, asked.projectId)
    expect((await chain(asked, 'DECISION_TAKEN')).map(({ details }) => details.decision)).toEqual(['DELEGATED'])
    expect(await state()).toBe('PLAN_DRAFTED')
  })

  it('after an approval whose process died is refused: what was signed first stands', async () => {
    await waiting(forTechLead, delegation)
    const from = link(PEOPLE.tech_lead)
    const [yes, on] = [await filled(from, 'approve'), await filled(from, 'delegate', { delegate_to: CARL })]
    const { approvals } = asked.on.ports
    asked.on.ports.approvals = { ...approvals, decide: () => Promise.reject(new Error('killed')) }
    expect((await post(from, yes)).status).toBe(500)
    asked.on.ports.approvals = approvals
    expect((await post(from, on)).status).toBe(403)
    expect(mailsTo(CARL)).toEqual([])
  })

  it('is not there for a role that the policy does not name', async () => {
    await waiting(forTechLead, { delegation: { roles: ['qa_lead'], at_most: 3 } })
    expect(await (await fetch(link(PEOPLE.tech_lead))).text()).not.toContain('name="delegate_to"')
    expect(await heading(await hand(link(PEOPLE.tech_lead), CARL))).toEqual([403, 'It cannot be handed on like that'])
  })

  it('is told to the delegate later, where the mail could not be sent at once', async () => {
    await waiting(forTechLead, delegation)
    const { notifier } = asked.on.ports
    asked.on.ports.notifier = { send: () => Promise.reject(new Error('killed')) }
    expect((await hand(link(PEOPLE.tech_lead), CARL)).status).toBe(500)
    asked.on.ports.notifier = notifier
    asked.on.later(HOUR)
    await chase(asked.on.ports)
    await chase(asked.on.ports)
    expect(mailsTo(CARL).map((mail) => mail.subject.slice(0, 16))).toEqual(['Handed on to you'])
    expect(await chain(asked, 'REQUEST_DELEGATED')).toMatchObject([{ actor: PEOPLE.tech_lead, details: { to: CARL, role: 'tech_lead' } }])
  })

  it('to two people and an approval, all at once, is one of the three, as the log tells it, each of 20 times', {
    timeout: 120_000,
  }, async () => {
    const seen = new Set<string>()
    for (let round = 0; round < 20; round++) {
      await waiting(forTechLead, delegation)
      const from = link(PEOPLE.tech_lead)
      const forms = await Promise.all([
        filled(from, 'delegate', { delegate_to: CARL }),
        filled(from, 'approve'),
        filled(from, 'delegate', { delegate_to: DORA }),
      ])
      // Each comes first in some rounds, and with a head start that no test can foresee in others.
      const order = [0, 1, 2].map((each) => (each + round) % 3)
      const answers: number[] = []
      await Promise.all(
        order.map(async (which, place) => {
          await new Promise((resolve) => setTimeout(resolve, place * (round % 4)))
          answers[which] = (await post(from, forms[which]!)).status
        }),
      )
      expect(answers.filter((status) => status === 200)).toHaveLength(1)
      const winner = answers.indexOf(200)
      seen.add(winner === 1 ? 'approved' : 'handed on')
      const requests = (await asked.on.ports.approvals.byProject(asked.projectId)).filter(({ role }) => role === 'tech_lead')
      const decision = winner === 1 ? 'APPROVED' : 'DELEGATED'
      const joined = winner === 1 ? [] : [winner === 0 ? CARL : DORA]
      expect(requests.find(({ approver }) => approver === PEOPLE.tech_lead)?.decision).toBe(decision)
      expect(requests.filter(({ status }) => status === 'PENDING').map(({ approver }) => approver)).toEqual(joined)
      expect([CARL, DORA].filter((person) => mailsTo(person).length > 0)).toEqual(joined)
      expect((await chain(asked, 'REQUEST_DELEGATED')).map(({ details }) => details.to)).toEqual(joined)
      const taken = (await chain(asked, 'DECISION_TAKEN')).map(({ details }) => details.decision)
      expect(taken).toEqual(winner === 1 ? ['APPROVED'] : taken.map(() => 'DELEGATED'))
      const counted = (await acceptedStatements(asked.on.ports, asked.projectId)).filter((each) => each.decision === 'APPROVED')
      expect(counted).toHaveLength(winner === 1 ? 1 : 0)
      await settled()
      expect(await state()).toBe(winner === 1 ? 'PLANNED' : 'PLAN_DRAFTED')
      if (round < 19) await asked.close()
    }
    expect([...seen].sort()).toEqual(['approved', 'handed on'])
  })

  it('twice at once reaches one person', async () => {
    await waiting(forTechLead, delegation)
    const from = link(PEOPLE.tech_lead)
    const [one, two] = [await filled(from, 'delegate', { delegate_to: CARL }), await filled(from, 'delegate', { delegate_to: DORA })]
    const answers = await Promise.all([post(from, one), post(from, two)])
    expect(answers.map((response) => response.status).filter((status) => status === 200)).toHaveLength(1)
    const pending = (await asked.on.ports.approvals.byProject(asked.projectId)).filter((request) => request.status === 'PENDING')
    expect(pending).toHaveLength(1)
  })
})

describe('escalation', () => {
  const escalation = (email: string) => ({ escalation: { after_hours: 24, people: [{ role: 'tech_lead' as const, email }] } })

  it('invites the person of the policy too; whoever decides first, decides', async () => {
    await waiting(forTechLead, escalation(CARL))
    asked.on.later(23 * HOUR)
    await chase(asked.on.ports)
    expect(mailsTo(CARL)).toEqual([])
    asked.on.later(2 * HOUR)
    await Promise.all([chase(asked.on.ports), chase(asked.on.ports), chase(asked.on.ports)])
    await chase(asked.on.ports)
    expect(mailsTo(CARL)).toHaveLength(1)
    expect(asked.mail(CARL).text).toContain(`${PEOPLE.tech_lead} has not decided in time`)
    expect(await chain(asked, 'APPROVAL_ESCALATED')).toHaveLength(1)
    expect((await fetch(link(PEOPLE.tech_lead))).status).toBe(200)
    expect((await post(link(CARL), await filled(link(CARL), 'approve'))).status).toBe(200)
    await until(async () => (await state()) === 'PLANNED')
    expect((await fetch(link(PEOPLE.tech_lead))).status).toBe(410)
  })

  it('leaves one seat to one person: when one has decided, the other cannot decide as well, while others are still asked', async () => {
    await waiting(forSecurity, { escalation: { after_hours: 24, people: [{ role: 'security', email: CARL }] } })
    const { approvals } = asked.on.ports
    const owner = (await approvals.byProject(asked.projectId)).find((each) => each.role === 'data_owner')!
    await post(link(PEOPLE.data_owner), await filled(link(PEOPLE.data_owner), 'withdraw', { reason: 'later' }))
    expect(owner.decision).toBe('APPROVED')
    asked.on.later(25 * HOUR)
    await chase(asked.on.ports)
    const late = await filled(link(PEOPLE.security), 'reject', { reason: 'no' })
    await post(link(CARL), await filled(link(CARL), 'approve'))
    expect(await heading(await fetch(link(PEOPLE.security)))).toEqual([410, 'This step is over'])
    expect((await post(link(PEOPLE.security), late)).status).toBe(410)
    expect(await state()).toBe('PLANNED')
  })

  it('never invites the author, and says so', async () => {
    await waiting(forTechLead, escalation('Author+boss@example.com'))
    asked.on.later(25 * HOUR)
    await chase(asked.on.ports)
    await chase(asked.on.ports)
    expect(asked.on.mails.filter(asksToDecide)).toHaveLength(1)
    expect(await chain(asked, 'ESCALATION_REFUSED')).toMatchObject([{ details: { why: expect.stringContaining('wrote this migration') } }])
  })

  it('goes on after a crash: nobody who was invited stays without a mail', async () => {
    await waiting(forTechLead, escalation(CARL))
    asked.on.later(25 * HOUR)
    const { notifier } = asked.on.ports
    asked.on.ports.notifier = { send: () => Promise.reject(new Error('killed')) }
    await expect(chase(asked.on.ports)).rejects.toThrow('killed')
    asked.on.ports.notifier = notifier
    expect(await chain(asked, 'APPROVAL_ESCALATED')).toEqual([])
    // A process that lives may be about to send it.
    await chase(asked.on.ports)
    expect(mailsTo(CARL)).toEqual([])
    asked.on.later(HOUR)
    await chase(asked.on.ports)
    await chase(asked.on.ports)
    expect(mailsTo(CARL)).toHaveLength(1)
    expect(await chain(asked, 'APPROVAL_ESCALATED')).toHaveLength(1)
    expect((await asked.on.ports.approvals.byProject(asked.projectId)).filter((each) => each.approver === CARL)).toHaveLength(1)
  })
})

describe('withdrawal', () => {
  const takeBack = async (from: URL, reason = 'I overlooked the second table.') => post(from, await filled(from, 'withdraw', { reason }))

  it('before the execution takes an approval back: nothing moves, and the person is asked again', async () => {
    await waiting(forSecurity, {})
    await until(async () => mailsTo(PEOPLE.data_owner).length === 1)
    const owner = link(PEOPLE.data_owner)
    await post(owner, await filled(owner, 'approve'))
    const page = await fetch(owner)
    expect([page.status, (await page.text()).includes('value="withdraw"')]).toEqual([409, true])
    expect((await takeBack(owner, '')).status).toBe(422)
    const fields = await filled(owner, 'withdraw', { reason: 'I overlooked the second table.' })
    expect(await heading(await post(owner, fields))).toEqual([200, 'Withdrawn'])
    expect(await heading(await post(owner, fields))).toEqual([410, 'You withdrew this approval'])
    expect((await chain(asked, 'APPROVAL_WITHDRAWN'))[0]).toMatchObject({ actor: PEOPLE.data_owner, details: { role: 'data_owner' } })
    expect((await post(link(PEOPLE.security), await filled(link(PEOPLE.security), 'approve'))).status).toBe(200)
    await settled()
    expect([await state(), asked.on.systems.touched]).toEqual(['PLANNED', []])
    expect(mailsTo(PEOPLE.data_owner).at(-1)?.subject).toMatch(/^Open again: /)
    expect((await post(link(PEOPLE.data_owner), await filled(link(PEOPLE.data_owner), 'approve'))).status).toBe(200)
    await until(async () => (await state()) !== 'PLANNED')
    // Executed now: too late, and the page no longer offers it.
    const again = link(PEOPLE.data_owner)
    expect(await (await fetch(again)).text()).not.toContain('value="withdraw"')
    fields.set('t', again.searchParams.get('t')!)
    expect(await heading(await post(again, fields))).toEqual([409, 'It is too late to withdraw this'])
  })

  it('of the plan’s approval, once the plan is signed, ends the migration before anything moves', async () => {
    await waiting(forSecurity, {})
    asked.on.later(80 * HOUR - 8 * HOUR)
    const lead = link(PEOPLE.tech_lead)
    const response = await takeBack(lead)
    expect([response.status, await response.text()]).toEqual([200, expect.stringContaining('ends as rejected')])
    await until(async () => (await state()) === 'REJECTED')
    expect(asked.on.systems.touched).toEqual([])
  })

  it('is completed after a crash behind its statement, and counts for every barrier at once', async () => {
    await waiting(forSecurity, {})
    const lead = link(PEOPLE.tech_lead)
    const fields = await filled(lead, 'withdraw', { reason: 'Wrong source.' })
    const { approvals } = asked.on.ports
    asked.on.ports.approvals = { ...approvals, withdraw: () => Promise.reject(new Error('killed')) }
    expect((await post(lead, fields)).status).toBe(500)
    asked.on.ports.approvals = approvals
    await chase(asked.on.ports)
    await until(async () => (await state()) === 'REJECTED')
    expect(await chain(asked, 'APPROVAL_WITHDRAWN')).toHaveLength(1)
    expect(asked.on.systems.touched).toEqual([])
  })

  it('asks again later, where the mail could not be sent at once', async () => {
    await waiting(forSecurity, {})
    const owner = link(PEOPLE.data_owner)
    const fields = await filled(owner, 'withdraw', { reason: 'x' })
    const { notifier } = asked.on.ports
    asked.on.ports.notifier = { send: () => Promise.reject(new Error('killed')) }
    expect((await post(owner, fields)).status).toBe(500)
    asked.on.ports.notifier = notifier
    expect(await chain(asked, 'APPROVAL_WITHDRAWN')).toHaveLength(1)
    asked.on.later(HOUR)
    await chase(asked.on.ports)
    await chase(asked.on.ports)
    expect(mailsTo(PEOPLE.data_owner)).toHaveLength(2)
    expect(await chain(asked, 'APPROVER_ASKED_AGAIN')).toHaveLength(1)
  })

  it('is too late from the moment the state machine was told, though nothing is executed yet', async () => {
    await waiting(forSecurity, {})
    const lead = link(PEOPLE.tech_lead)
    const fields = await filled(lead, 'withdraw', { reason: 'x' })
    const { approvals } = asked.on.ports
    const [waitingFor] = (await approvals.byProject(asked.projectId)).filter((each) => each.role === 'security')
    await approvals.told(waitingFor!.group_id, asked.on.ports.clock.now().toISOString())
    const before = await stand(asked)
    expect(await heading(await post(lead, fields))).toEqual([409, 'It is too late to withdraw this'])
    expect(await stand(asked)).toEqual(before)
    expect(before.state).toBe('PLANNED')
  })

  it('needs the link of the person who approved', async () => {
    await waiting(forSecurity, {})
    const before = await stand(asked)
    const lead = link(PEOPLE.tech_lead)
    const fields = await filled(lead, 'withdraw', { reason: 'x' })
    fields.set('t', link(PEOPLE.security).searchParams.get('t')!)
    expect((await post(lead, fields)).status).toBe(403)
    expect((await post(lead, await filled(lead, 'withdraw', { reason: 'x' }), { origin: 'https://evil.example' })).status).toBe(403)
    expect(await stand(asked)).toEqual(before)
  })

  it('of the whole plan by its author rejects it, and not once it is executed', async () => {
    await waiting(forSecurity, {})
    const project = await asked.on.ports.projects.get(asked.projectId)
    await withdrawPlan(asked.on.ports, project, 'The business changed its mind.')
    await tellOutcomes(asked.on.ports, asked.projectId)
    await until(async () => (await state()) === 'REJECTED')
    expect(asked.on.systems.touched).toEqual([])
    expect((await chain(asked, 'PLAN_WITHDRAWN'))[0]).toMatchObject({ actor: 'author@example.com' })
    await expect(withdrawPlan(asked.on.ports, { ...project, state: 'EXECUTED' }, 'late')).rejects.toMatchObject({
      code: 'ILLEGAL_TRANSITION',
    })
  })
})

it('an approval that was withdrawn opens no gate and no worker, also when the withdrawal is deleted from the home', async () => {
  await waiting((mail) => mail.to === PEOPLE.security, {})
  await until(async () => mailsTo(PEOPLE.security).length > 0 && mailsTo(PEOPLE.data_owner).length > 0)
  await post(link(PEOPLE.data_owner), await filled(link(PEOPLE.data_owner), 'withdraw', { reason: 'I saw something' }))
  const file = readdirSync(asked.on.home).find((name) => /\.(db|sqlite3?)$/.test(name))!
  const db = new DatabaseSync(join(asked.on.home, file))
  expect(db.prepare("DELETE FROM artifacts WHERE key LIKE '%/approvals/%-w.dsse.json'").run().changes).toBe(1)
  db.close()
  expect((await post(link(PEOPLE.security), await filled(link(PEOPLE.security), 'approve'))).status).toBe(200)
  await settled()
  expect(await stand(asked)).toMatchObject({ state: 'PLANNED', touched: [] })
  const task = { worker: 'prepare-target', project_id: asked.projectId, run_id: 'by-hand', items: null, ids: [] }
  await expect(asked.on.work(task as never)).rejects.toMatchObject({
    code: 'PLAN_NOT_AUTHORISED',
    details: expect.arrayContaining([expect.stringMatching(/withdrew the approval as data_owner/)]),
  })
  const [entry] = await chain(asked, 'APPROVAL_WITHDRAWN')
  const anchor = (await asked.on.ports.artifacts.list(`projects/${asked.projectId}/anchors/`)).at(-1)!
  expect(Number(/(\d+)\.dsse\.json$/.exec(anchor)?.[1])).toBeGreaterThanOrEqual(entry!.seq)
})

it('a migration with a withdrawn, repeated and delegated approval ends with a pack that verifies, and says all of it', async () => {
  await waiting(forSecurity, { delegation: { roles: ['security'], at_most: 1 } })
  const owner = link(PEOPLE.data_owner)
  await post(owner, await filled(owner, 'withdraw', { reason: 'I read the wrong plan.' }))
  await until(async () => mailsTo(PEOPLE.data_owner).length === 2)
  const read = asked.on.mails.length
  await post(link(PEOPLE.data_owner), await filled(link(PEOPLE.data_owner), 'approve'))
  await post(link(PEOPLE.security), await filled(link(PEOPLE.security), 'delegate', { delegate_to: CARL }))
  const { files, faults } = await toTheEnd(asked, read)
  expect(faults).toEqual([])
  const said = files
    .filter(({ path }) => /^approvals\/[^/]+\.dsse\.json$/.test(path))
    .map(({ bytes }) => readApproval(bytes, asked.on.ports.trust)!)
    .filter(({ transition }) => transition === 'PLANNED->EXECUTED')
    .map(({ role, approver, decision }) => `${role} ${approver} ${decision}`)
  expect(said.sort()).toEqual([
    `data_owner ${PEOPLE.data_owner} APPROVED`,
    `data_owner ${PEOPLE.data_owner} APPROVED`,
    `data_owner ${PEOPLE.data_owner} WITHDRAWN`,
    `security ${CARL} APPROVED`,
  ])
})

describe('the page', () => {
  it('says what changed since the last version of the plan', async () => {
    await waiting(forTechLead, {})
    expect(await (await fetch(link(PEOPLE.tech_lead))).text()).toContain('this is the first version of the plan')
    const { artifacts, projects } = asked.on.ports
    const project = await projects.get(asked.projectId)
    const pointer = project.artifacts.migration_plan!
    const plan = JSON.parse(Buffer.from(await artifacts.get(pointer)).toString()) as { created_at: string; tables: { columns: object[] }[] }
    const older = {
      ...plan,
      created_at: '2020-01-01T00:00:00.000Z',
      tables: [{ ...plan.tables[0]!, columns: plan.tables[0]!.columns.slice(0, 2) }],
    }
    await artifacts.put(`projects/${asked.projectId}/migration_plan/older.json`, Buffer.from(JSON.stringify(older)), {
      contentType: 'application/json',
      retainUntil: new Date(),
    })
    const page = await (await fetch(link(PEOPLE.tech_lead))).text()
    expect(page).toContain('1 thing differs from the version of 2020-01-01')
    expect(page).toContain('public.item: column price is new')
  })
})
