import type { Browser } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { standingOf } from '../../functions/work/separation-of-duties.ts'
import { canonicalBytes } from '../../layers/core/canonical-json.ts'
import { sha256 } from '../../layers/core/digest.ts'
import { linkOf } from '../../layers/core/flow/asking.ts'
import { type ApprovalRequest, planPredicate } from '../../layers/core/schemas/governance.ts'
import { plan as planSchema } from '../../layers/core/schemas/plan.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'
import { openPredicate, PREDICATES, signStatement, statementOf } from '../../layers/core/statement.ts'
import { type Asked, askedFor } from './support/asked.ts'
import { browserPath, openBrowser } from './support/browser.ts'
import { chain, filled, HOUR, heading, post, settled, stand, until } from './support/decisions.ts'
import { editRecord } from './support/edited-record.ts'
import { linkIn, PEOPLE } from './support/story.ts'

/**
 * The migration waits for one last approval: with it, data moves. Every attack must leave the target untouched, give one clear answer,
 * and stand in the audit log.
 */
let asked: Asked
let link: URL
beforeEach(async () => {
  asked = await askedFor((mail) => mail.to === PEOPLE.security)
  await until(async () => asked.on.mails.some((mail) => mail.to === PEOPLE.security))
  link = linkIn(asked.mail(PEOPLE.security))
})
afterEach(() => asked.close())

const refusals = async () => (await chain(asked, 'DECISION_REFUSED')).map((entry) => entry.details.why)

async function untouched(before: Awaited<ReturnType<typeof stand>>): Promise<void> {
  await settled()
  expect(await stand(asked)).toEqual(before)
  expect(asked.on.systems.touched).toEqual([])
}

async function change(fields: (project: ProjectRecord) => Partial<ProjectRecord>): Promise<void> {
  const project = await asked.on.ports.projects.get(asked.projectId)
  editRecord(asked.on.home, { ...project, ...fields(project) })
}

it('GET, HEAD and OPTIONS with everything that a form would say', async () => {
  const before = await stand(asked)
  const entries = (await asked.on.ports.audit.read(asked.projectId)).length
  const url = new URL(link)
  for (const [name, value] of await filled(link, 'approve')) url.searchParams.set(name, value)
  for (const method of ['GET', 'HEAD', 'OPTIONS']) expect((await fetch(url, { method })).status).toBe(method === 'OPTIONS' ? 204 : 200)
  await untouched(before)
  // Looking is no attempt: nothing is written, not even an entry.
  expect((await asked.on.ports.audit.read(asked.projectId)).length).toBe(entries)
})

it('a replay of the form that approved, and of the one that was refused', async () => {
  const fields = await filled(link, 'reject', { reason: 'not yet' })
  expect((await post(link, fields)).status).toBe(200)
  await until(async () => (await stand(asked)).state === 'REJECTED')
  const before = await stand(asked)
  fields.set('decision', 'approve')
  expect(await heading(await post(link, fields))).toEqual([409, 'This was decided already'])
  await untouched(before)
  expect(await refusals()).toEqual(['decided'])
})

it('an expired link', async () => {
  const fields = await filled(link, 'approve')
  const before = await stand(asked)
  asked.on.later(73 * HOUR)
  expect(await heading(await post(link, fields))).toEqual([410, 'This request has expired'])
  await untouched(before)
  expect(await refusals()).toEqual(['expired'])
})

it('another person’s link, and one whose HMAC was changed by a bit anywhere', async () => {
  const before = await stand(asked)
  const fields = await filled(link, 'approve')
  const token = link.searchParams.get('t')!
  const others = [linkIn(asked.mail(PEOPLE.data_owner)).searchParams.get('t')!, linkIn(asked.mail(PEOPLE.tech_lead)).searchParams.get('t')!]
  const flipped = [0, 20, 41, 42].map((at) => {
    const bytes = Buffer.from(token)
    bytes[at] = bytes[at] === 65 ? 66 : 65
    return bytes.toString()
  })
  const attempts = [...others, ...flipped, '', token.slice(1), `${token}=`, token.toUpperCase()]
  for (const each of attempts) {
    fields.set('t', each)
    expect(await heading(await post(link, fields))).toEqual([403, 'This link does not open this request'])
  }
  await untouched(before)
  expect(await refusals()).toEqual(attempts.map(() => 'bad-link'))
})

it('a subject that changed after the mail', async () => {
  const fields = await filled(link, 'approve')
  const before = await stand(asked)
  await change(({ artifacts }) => ({ artifacts: { ...artifacts, signed_plan: { ...artifacts.signed_plan!, sha256: 'e'.repeat(64) } } }))
  expect(await heading(await post(link, fields))).toEqual([409, 'What you were asked about has changed'])
  await untouched(before)
  expect(await refusals()).toEqual(['changed'])
})

it('approve and reject at once: one of them, and the target hears no other', async () => {
  const [yes, no] = [await filled(link, 'approve'), await filled(link, 'reject', { reason: 'no' })]
  const answers = await Promise.all([post(link, yes), post(link, no), post(link, yes), post(link, no)])
  const mine = (await asked.on.ports.approvals.byProject(asked.projectId)).find((each) => each.role === 'security')!
  await until(async () => !['PLANNED'].includes((await stand(asked)).state))
  const refused = answers.filter((answer) => answer.status !== 200)
  expect(refused.length).toBeGreaterThanOrEqual(2)
  expect(refused.map((answer) => answer.status)).toEqual(refused.map(() => 409))
  expect((await refusals()).length).toBe(refused.length)
  if (mine.decision === 'REJECTED') expect(asked.on.systems.touched).toEqual([])
  else expect((await stand(asked)).state).not.toBe('REJECTED')
  expect((await chain(asked, 'DECISION_TAKEN')).filter((entry) => entry.details.role === 'security')).toHaveLength(1)
})

describe('one person in two roles', () => {
  // All of them are the tech lead, who approved the plan.
  for (const [what, address] of [
    ['by case', 'TECH.Lead@Example.COM'],
    ['by dots', 't.e.c.h.lead@example.com'],
    ['by a plus alias', 'tech.lead+security@example.com'],
    ['by all of it', 'T.echLead+1@EXAMPLE.com'],
  ] as const) {
    it(what, async () => {
      const theirs = await askAs(address)
      const before = await stand(asked)
      expect(await heading(await post(theirs, await filled(theirs, 'approve')))).toEqual([403, 'You cannot take this decision'])
      await untouched(before)
      expect(await refusals()).toEqual(['not-allowed'])
    })
  }
})

it('the author approves their own plan, under another spelling', async () => {
  const theirs = await askAs('AUTH.or+me@example.com')
  const before = await stand(asked)
  expect(await heading(await post(theirs, await filled(theirs, 'approve')))).toEqual([403, 'You cannot take this decision'])
  await untouched(before)
  expect(await refusals()).toEqual(['not-allowed'])
})

it('approvals for plan N used on plan N+1', async () => {
  const { ports } = asked.on
  const project = await ports.projects.get(asked.projectId)
  const plan = planSchema.parse(JSON.parse(Buffer.from(await ports.artifacts.get(project.artifacts.migration_plan!)).toString()))
  const signed = openPredicate(await ports.artifacts.get(project.artifacts.signed_plan!), ports.trust, 'plan', planPredicate).predicate
  const bytes = canonicalBytes({ ...plan, plan_version: plan.plan_version + 1, title: 'Something else' })
  const statement = statementOf({
    predicateType: PREDICATES.plan,
    subject: [{ name: 'migration_plan.json', sha256: sha256(bytes) }],
    predicate: { ...signed, plan_version: plan.plan_version + 1 },
  })
  const put = (name: string, content: Uint8Array) =>
    ports.artifacts.put(`projects/${asked.projectId}/${name}/next.json`, content, {
      contentType: 'application/json',
      retainUntil: new Date(),
    })
  const next = {
    migration_plan: await put('migration_plan', bytes),
    signed_plan: await put('signed_plan', (await signStatement(ports.signers.plan, statement)).bytes),
  }
  const fields = await filled(link, 'approve')
  await change(({ artifacts }) => ({ artifacts: { ...artifacts, ...next }, plan_version: plan.plan_version + 1 }))
  const before = await stand(asked)
  expect(await heading(await post(link, fields))).toEqual([409, 'What you were asked about has changed'])
  const now = await ports.projects.get(asked.projectId)
  // Nothing that was approved before says anything about it: not to the gate, not to a worker started by hand.
  expect(await standingOf(ports, now, 'PLANNED->EXECUTED', next.signed_plan.sha256)).toBeNull()
  expect((await standingOf(ports, now, 'PLAN_DRAFTED->PLANNED', next.migration_plan.sha256))?.missing).toEqual(['tech_lead'])
  await expect(
    asked.on.work({ worker: 'prepare-target', project_id: asked.projectId, run_id: 'run-1', items: null, ids: [] }),
  ).rejects.toMatchObject({ code: 'PLAN_NOT_AUTHORISED' })
  await untouched(before)
  expect(await refusals()).toEqual(['changed'])
})

describe.runIf(browserPath() !== null)('a mail scanner that runs scripts', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await openBrowser()
  })
  afterAll(() => browser.close())

  it('opens the link, follows every link, presses every button and sends every form', async () => {
    const before = await stand(asked)
    const context = await browser.newContext({ bypassCSP: true })
    const page = await context.newPage()
    await page.goto(link.href)
    const hrefs = (await page.evaluate('[...document.links].map((each) => each.href)')) as string[]
    for (const href of hrefs) await (await context.newPage()).goto(href)
    for (const button of ['approve', 'reject']) {
      await page.goto(link.href)
      await page.evaluate(`for (const form of document.forms) form.noValidate = true`)
      await Promise.all([page.waitForNavigation(), page.click(`button[value=${button}]`)])
      expect(await page.locator('[role=alert]').textContent()).toContain('Nothing was decided yet')
    }
    await page.goto(link.href)
    await Promise.all([page.waitForNavigation(), page.evaluate('document.forms[0].submit()')])
    // From a page of its own, with everything filled in.
    const fields = [...(await filled(link, 'approve'))].map(([name, value]) => `<input name="${name}" value="${value}">`).join('')
    const elsewhere = await context.newPage()
    await elsewhere.setContent(`<form method="post" action="${link.origin}${link.pathname}">${fields}<button>Go</button></form>`)
    await Promise.all([elsewhere.waitForNavigation(), elsewhere.click('button')])
    expect(await elsewhere.locator('h1').textContent()).toBe('This did not come from the approval page')
    await until(async () => (await refusals()).includes('bad-origin'))
    await context.close()
    await untouched(before)
  })
})

/** Invites an address to the seat that is still free, as a compromised spec or a wrong policy might. */
async function askAs(approver: string): Promise<URL> {
  const { approvals } = asked.on.ports
  const free = (await approvals.byProject(asked.projectId)).find((each) => each.role === 'security')!
  const request: ApprovalRequest = { ...free, approval_id: 'a-invited', approver }
  await approvals.join(request)
  return new URL(await linkOf(asked.on.ports, request))
}
