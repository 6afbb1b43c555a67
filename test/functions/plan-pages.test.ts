import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { listedFindings } from '../../cli/waive/listed.ts'
import { chase } from '../../functions/decide/chase.ts'
import { tellOutcomes } from '../../functions/decide/outbox.ts'
import { cookie } from '../../layers/core/approval-page/session.ts'
import { keyOf } from '../../layers/core/flow/storing.ts'
import type { HttpResponse, Mail } from '../../layers/core/ports.ts'
import type { Policy } from '../../layers/core/schemas/policy.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'
import { memoryReader, verifyPack } from '../../layers/core/verifier/index.ts'
import { type TestPlatform, testPlatform } from './support/platform.ts'
import { formOf, getRequest, linkIn, PEOPLE, postRequest, specText, tell, yes } from './support/story.ts'
import { storedPack } from './support/written-pack.ts'

const LONG = 120_000
const HOUR = 3_600_000
const AUTHOR = 'author@example.com'
const MANAGER = 'mara.manager@example.com'
const waivers: Policy['waivers'] = { role: 'engineering_manager', rules: ['tolerance-validator'], severities: ['ERROR'], max_days: 30 }

let on: TestPlatform
let id: string
let serial = 0
beforeEach(async () => {
  on = await testPlatform({ policy: { waivers } })
})
afterEach(() => on.close())

async function started(change: (spec: Record<string, unknown> & { approvers: object[] }) => void = () => {}): Promise<void> {
  id = `q${process.pid}-${++serial}`
  const spec = JSON.parse(specText())
  change(spec)
  await on.ports.artifacts.put(keyOf(id, 'spec', '1'), Buffer.from(JSON.stringify(spec)), {
    contentType: 'application/json',
    retainUntil: new Date(),
  })
}

/** A plan that rolls back later than the policy calls critical: one ERROR, which the policy lets the manager waive. */
async function refusedPlan(manager = MANAGER): Promise<ProjectRecord> {
  await started((spec) => {
    spec.rollback_config = { auto_rollback_enabled: true, bps_rollback_threshold: 0.5 }
    spec.approvers.push({ role: 'engineering_manager', email: manager })
  })
  await tell(on, id)
  return project()
}

const project = () => on.ports.projects.get(id)
const chain = async (action: string) => (await on.ports.audit.read(id)).filter((entry) => entry.action === action)
const mailed = (to: string, page: string) =>
  on.mails.filter((mail) => mail.to === to).flatMap((mail) => new RegExp(`https?://\\S+/${page}/\\S+`).exec(mail.text) ?? [])
const linkTo = (to: string, page: 'waivers' | 'plans') => new URL(mailed(to, page).at(-1)!)
const heading = ({ status, body }: HttpResponse) => [status, /<h1>([^<]+)/.exec(body)?.[1]]
const stored = (name: string) => on.ports.artifacts.list(`projects/${id}/${name}/`)

async function filled(link: URL, decision: string, more: Record<string, string> = {}): Promise<URLSearchParams> {
  const fields = formOf((await on.http(getRequest(link))).body)
  fields.set('decision', decision)
  for (const [name, value] of Object.entries(more)) fields.set(name, value)
  return fields
}
const waiving = (link: URL, more: Record<string, string> = {}) =>
  filled(link, 'waive', { reason: 'the old system stays', days: '7', ...more })
const withdrawing = (link: URL, more: Record<string, string> = {}) =>
  filled(link, 'withdraw-plan', { reason: 'The source is frozen.', ...more })

async function offered(): Promise<URL> {
  await refusedPlan()
  await chase(on.ports)
  return linkTo(MANAGER, 'waivers')
}

/** A plan that waits for this person. */
async function waitsFor(person: string): Promise<{ link: URL; end(): Promise<unknown> }> {
  await started()
  const held: Mail[] = []
  const end = tell(on, id, (mail) => {
    if (mail.to !== person) return yes(mail)
    held.push(mail)
    return null
  })
  while (held.length === 0 || mailed(AUTHOR, 'plans').length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  return { link: linkTo(AUTHOR, 'plans'), end: () => end }
}

describe('a waiver by link', () => {
  it('is offered once to the person whom policy and spec name, and asks nothing of anybody else', { timeout: LONG }, async () => {
    await refusedPlan()
    const before = on.mails.length
    await chase(on.ports)
    await chase(on.ports)
    expect(on.mails.slice(before).map(({ to }) => to)).toEqual([MANAGER])
    expect(await chain('WAIVER_OFFERED')).toMatchObject([{ actor: 'waybill', details: { person: MANAGER, role: 'engineering_manager' } }])
    const page = await on.http(getRequest(linkTo(MANAGER, 'waivers')))
    expect(page.status).toBe(200)
    expect(page.body).toContain('take responsibility for one finding')
    expect(page.body).toContain('0.5')
    expect(page.body).toContain((await project()).artifacts.migration_plan!.sha256.slice(8))
  })

  it('signed on the page, the plan is validated again, approved, executed, and the pack verifies with it', { timeout: LONG }, async () => {
    const link = await offered()
    const given = await on.http(postRequest(link, await waiving(link)))
    expect(heading(given)).toEqual([200, 'Waived'])
    expect(await chain('WAIVER_SIGNED')).toMatchObject([{ actor: MANAGER, details: { role: 'engineering_manager' } }])
    expect(on.mails.at(-1)).toMatchObject({ to: AUTHOR, subject: expect.stringMatching(/^A finding of your plan was waived/) })
    expect((await on.http(getRequest(link))).body).toContain('Nothing is left to waive')
    const { project: done } = await tell(on, id)
    expect(done?.state).toBe('EVIDENCE_COMPLETE')
    const files = await storedPack(on, id)
    expect(files.filter(({ path }) => /^waivers\/.*\.dsse\.json$/.test(path))).toHaveLength(1)
    expect(await verifyPack(memoryReader(files))).toMatchObject({ verified: true, faults: [] })
    expect(heading(await on.http(getRequest(link)))).toEqual([410, 'This step is over'])
  })

  it('is listed for the terminal: found, mailed, waived, and no longer', { timeout: LONG }, async () => {
    await refusedPlan()
    const listed = async (days = 0) => {
      const clock = { now: () => new Date(on.ports.clock.now().getTime() + days * 24 * HOUR) }
      return (await listedFindings({ ...on.ports, clock }, await project())).map(({ finding_id: _, finding, ...rest }) => ({
        rule: finding.rule_id,
        ...rest,
      }))
    }
    const found = { rule: 'tolerance-validator', barred: null, mailed: null, waived: null }
    expect(await listed()).toEqual([found])
    await chase(on.ports)
    const mailedTo = { ...found, mailed: { to: MANAGER, role: 'engineering_manager', at: expect.any(String) } }
    expect(await listed()).toEqual([mailedTo])
    const link = linkTo(MANAGER, 'waivers')
    await on.http(postRequest(link, await waiving(link)))
    const waived = (passed: boolean) => ({ ...mailedTo, waived: { by: MANAGER, until: expect.any(String), passed } })
    expect(await listed()).toEqual([waived(false)])
    expect(await listed(8)).toEqual([waived(true)])
    expect((await tell(on, id)).project?.state).toBe('EVIDENCE_COMPLETE')
    const late = `findings are waived before a plan is signed, and ${id} is EVIDENCE_COMPLETE`
    expect(await listed()).toEqual([{ ...waived(false), barred: late }])
  })

  it('GET, HEAD and OPTIONS change nothing, however often, whatever they carry', { timeout: LONG }, async () => {
    const link = await offered()
    const entries = (await on.ports.audit.read(id)).length
    const body = (await waiving(link)).toString()
    for (const method of ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'])
      await on.http(
        getRequest(link, { method, body, headers: { origin: link.origin, 'content-type': 'application/x-www-form-urlencoded' } }),
      )
    expect([await stored('waivers'), (await on.ports.audit.read(id)).length]).toEqual([[], entries])
  })

  it('two clicks, at once and later, are one waiver', { timeout: LONG }, async () => {
    const link = await offered()
    const fields = await waiving(link)
    const answers = await Promise.all([1, 2, 3].map(() => on.http(postRequest(link, fields))))
    answers.push(await on.http(postRequest(link, fields)))
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200])
    expect(await stored('waivers')).toHaveLength(1)
  })

  it.each<[string, (fields: URLSearchParams) => void, number, string]>([
    ['without a reason', (fields) => fields.set('reason', ' '), 422, 'Say why'],
    ['for longer than the policy lets', (fields) => fields.set('days', '31'), 422, '1 to 30 days'],
    ['for no time', (fields) => fields.set('days', '0'), 422, '1 to 30 days'],
    ['for a time that is no number', (fields) => fields.set('days', '7e0'), 422, '1 to 30 days'],
    ['of no finding', (fields) => fields.delete('finding'), 422, 'Choose one'],
    ['of another finding', (fields) => fields.set('finding', `f-${'0'.repeat(32)}`), 422, 'Choose one'],
    ['without the digest', (fields) => fields.set('digest_prefix', '00000000'), 422, 'not the first 8'],
    ['by another button', (fields) => fields.set('decision', 'approve'), 422, 'Press the button'],
    ['by another link', (fields) => fields.set('t', 'A'.repeat(43)), 403, 'does not open'],
    ['by a form that was made up', (fields) => fields.set('csrf', `1.${'a'.repeat(64)}`), 403, 'open for too long'],
    ['with a field that our page does not have', (fields) => fields.set('role', 'dba'), 400, 'could not be read'],
  ])('%s is refused, and nothing is signed', { timeout: LONG }, async (_, spoil, status, words) => {
    const link = await offered()
    const fields = await waiving(link)
    spoil(fields)
    const response = await on.http(postRequest(link, fields))
    expect([response.status, response.body.includes(words) ? words : response.body]).toEqual([status, words])
    expect([await stored('waivers'), on.systems.touched]).toEqual([[], []])
    expect((await chain('WAIVER_REFUSED')).map(({ actor, details }) => [actor, details.why])).toEqual(
      status !== 403 ? [] : words === 'does not open' ? [['unknown', 'bad-link']] : [[MANAGER, 'stale-form']],
    )
  })

  it('from another site is refused, and the link is good for nothing else', { timeout: LONG }, async () => {
    const link = await offered()
    const fields = await waiving(link)
    const evil = { headers: { 'content-type': 'application/x-www-form-urlencoded', origin: 'https://evil.example' } }
    expect((await on.http(postRequest(link, fields, evil))).status).toBe(403)
    const elsewhere = new URL(link)
    elsewhere.pathname = link.pathname.replace('/waivers/', '/plans/')
    expect((await on.http(getRequest(elsewhere))).status).toBe(403)
    fields.set('decision', 'withdraw-plan')
    expect((await on.http(postRequest(elsewhere, fields))).status).toBe(403)
    expect([await stored('waivers'), await stored('approvals')]).toEqual([[], []])
  })

  it('a project that nobody has answers as a wrong link does', { timeout: LONG }, async () => {
    const link = await offered()
    link.searchParams.set('t', 'B'.repeat(43))
    const wrong = await on.http(getRequest(link))
    link.pathname = '/waivers/no-such-project'
    expect(await on.http(getRequest(link))).toEqual(wrong)
    expect((await on.http(postRequest(link, new URLSearchParams({ t: 'x' })))).body).toBe(wrong.body)
  })

  it('is over when the policy lets nobody waive any more, asks the role for a passkey, or the plan expired', {
    timeout: LONG,
  }, async () => {
    const link = await offered()
    const fields = await waiving(link)
    const inForce = on.ports.policy
    on.ports.policy = { ...inForce, waivers: undefined } as unknown as Policy
    expect((await on.http(postRequest(link, fields))).status).toBe(403)
    on.ports.policy = { ...inForce, asking: { passkey_roles: ['engineering_manager'] } }
    expect(heading(await on.http(postRequest(link, fields)))).toEqual([403, 'This cannot be waived'])
    on.ports.policy = inForce
    on.later((inForce.plan_ttl_hours + 1) * HOUR)
    expect(heading(await on.http(postRequest(link, fields)))).toEqual([410, 'This request has expired'])
    expect(await stored('waivers')).toEqual([])
  })

  it('is offered to nobody where something else stops the plan, the policy has no waivers, or the person has another role', {
    timeout: LONG,
  }, async () => {
    await refusedPlan('Tech.Lead+2@example.com')
    await chase(on.ports)
    expect(await chain('WAIVER_OFFERED')).toEqual([])
    await refusedPlan()
    on.ports.policy = { ...on.ports.policy, waivers: { ...waivers, rules: ['sampling-validator'] } } as Policy
    await chase(on.ports)
    expect(on.mails.filter((mail) => mail.text.includes('/waivers/'))).toEqual([])
    expect(await chain('WAIVER_OFFERED')).toEqual([])
  })

  it('where people sign in, takes the session of that very person, and says so in the statement', { timeout: LONG }, async () => {
    const link = await offered()
    on.ports.signIn = { start: async () => 'https://id.example/', finish: () => Promise.reject(new Error('not here')) }
    expect(heading(await on.http(getRequest(link)))).toEqual([401, 'Please sign in first'])
    const asking = new URL((await on.http(getRequest(link))).body.match(/href="([^"]+)"[^>]*>Sign in/)![1]!.replaceAll('&#38;', '&'), link)
    expect((await on.http(getRequest(asking))).headers.location).toBe('https://id.example/')
    const session = async (email: string) => ({
      cookie: (
        await cookie(
          on.ports.macMakers.page,
          'session',
          {
            issuer: 'https://id.example',
            subject: `s-${email}`,
            email,
            until: new Date(on.ports.clock.now().getTime() + HOUR).toISOString(),
          },
          60,
          false,
        )
      ).split(';')[0]!,
    })
    const body = (await on.http(getRequest(link, { headers: await session(MANAGER) }))).body
    const fields = formOf(body)
    for (const [name, value] of Object.entries({ decision: 'waive', reason: 'it stays', days: '7' })) fields.set(name, value)
    const headers = { 'content-type': 'application/x-www-form-urlencoded', origin: link.origin }
    const send = async (who: string) => on.http(postRequest(link, fields, { headers: { ...headers, ...(await session(who)) } }))
    expect(heading(await send(PEOPLE.security))).toEqual([403, 'You are signed in as somebody else'])
    expect(heading(await send(MANAGER))).toEqual([200, 'Waived'])
    const [key] = await stored('waivers')
    const envelope = JSON.parse(Buffer.from(await on.ports.artifacts.get((await on.ports.artifacts.find(key!))!)).toString()) as {
      payload: string
    }
    expect(JSON.parse(Buffer.from(envelope.payload, 'base64').toString()).predicate).toMatchObject({
      identified_by: 'oidc',
      oidc: { subject: `s-${MANAGER}` },
    })
  })
})

describe('the author’s link', () => {
  it('is mailed once a plan, when it is sent for approval, and changes nothing by being opened', { timeout: LONG }, async () => {
    const { link, end } = await waitsFor(PEOPLE.security)
    await chase(on.ports)
    expect(mailed(AUTHOR, 'plans')).toHaveLength(1)
    expect(await chain('PLAN_WITHDRAWAL_OFFERED')).toMatchObject([{ details: { person: AUTHOR } }])
    const before = (await on.ports.audit.read(id)).length
    for (const method of ['GET', 'HEAD', 'OPTIONS']) expect((await on.http(getRequest(link, { method }))).status).toBeLessThan(300)
    expect([(await on.ports.audit.read(id)).length, (await project()).state]).toEqual([before, 'PLANNED'])
    await on.http(postRequest(link, await withdrawing(link)))
    await end()
  })

  it.each([
    ['while it waits for its approval', PEOPLE.tech_lead],
    ['while its execution waits', PEOPLE.security],
  ])('withdraws the plan %s: nothing moves, and the migration ends as rejected', { timeout: LONG }, async (_, person) => {
    const { link, end } = await waitsFor(person)
    const approval = linkIn(on.mails.findLast((mail) => mail.to === person)!)
    const fields = await withdrawing(link)
    const answers = await Promise.all([on.http(postRequest(link, fields)), on.http(postRequest(link, fields))])
    expect(answers.map(({ status }) => status).every((status) => status === 200 || status === 410)).toBe(true)
    await end()
    expect([(await project()).state, on.systems.touched]).toEqual(['REJECTED', []])
    const entries = await chain('PLAN_WITHDRAWN')
    expect(new Set(entries.map(({ actor, details }) => `${actor} ${details.reason}`))).toEqual(new Set([`${AUTHOR} The source is frozen.`]))
    expect(heading(await on.http(getRequest(link)))).toEqual([410, 'This step is over'])
    expect((await on.http(getRequest(approval))).status).toBe(410)
  })

  it('is good for one plan, one project and one person, until it is carried out', { timeout: LONG }, async () => {
    const { link, end } = await waitsFor(PEOPLE.qa_lead)
    expect(heading(await on.http(getRequest(link)))).toEqual([410, 'This step is over'])
    const fields = new URLSearchParams({
      t: link.searchParams.get('t')!,
      decision: 'withdraw-plan',
      reason: 'x',
      digest_prefix: '00000000',
    })
    expect(heading(await on.http(postRequest(link, fields)))).toEqual([410, 'This step is over'])
    expect((await chain('PLAN_WITHDRAWAL_REFUSED')).map(({ actor, details }) => [actor, details.why])).toEqual([[AUTHOR, 'over']])
    const first = link.searchParams.get('t')!
    const qa = linkIn(on.mails.findLast((mail) => mail.to === PEOPLE.qa_lead)!)
    const qaFields = formOf((await on.http(getRequest(qa))).body)
    qaFields.set('decision', 'reject')
    qaFields.set('reason', 'enough')
    await on.http(postRequest(qa, qaFields))
    await end()
    const { link: other, end: otherEnd } = await waitsFor(PEOPLE.security)
    const withdraw = await withdrawing(other)
    other.searchParams.set('t', first)
    expect((await on.http(getRequest(other))).status).toBe(403)
    const approver = linkIn(on.mails.findLast((mail) => mail.to === PEOPLE.security)!)
    const theirs = new URLSearchParams(withdraw)
    theirs.set('t', approver.searchParams.get('t')!)
    expect((await on.http(postRequest(other, theirs))).status).toBe(403)
    for (const [name, value] of [
      ['reason', ''],
      ['digest_prefix', 'zzzzzzzz'],
    ] as const) {
      const spoiled = new URLSearchParams(withdraw)
      spoiled.set(name, value)
      expect((await on.http(postRequest(other, spoiled))).status).toBe(422)
    }
    expect((await project()).state).toBe('PLANNED')
    expect((await on.http(postRequest(other, withdraw))).status).toBe(200)
    await otherEnd()
  })

  it('is too late from the moment the state machine was told that the plan may be carried out', { timeout: LONG }, async () => {
    const { link, end } = await waitsFor(PEOPLE.security)
    const fields = await withdrawing(link)
    const { approvals } = on.ports
    const told = on.ports.clock.now().toISOString()
    on.ports.approvals = { ...approvals, toldAt: async () => told }
    expect(heading(await on.http(getRequest(link)))).toEqual([410, 'This step is over'])
    expect(heading(await on.http(postRequest(link, fields)))).toEqual([410, 'This step is over'])
    expect((await stored('approvals')).filter((key) => key.includes('withdrawn'))).toEqual([])
    on.ports.approvals = approvals
    expect((await on.http(postRequest(link, fields))).status).toBe(200)
    await end()
  })

  it('is completed after a crash behind its statement', { timeout: LONG }, async () => {
    const { link, end } = await waitsFor(PEOPLE.security)
    const { audit } = on.ports
    const fields = await withdrawing(link)
    on.ports.audit = { ...audit, append: () => Promise.reject(new Error('killed')) }
    expect((await on.http(postRequest(link, fields))).status).toBe(500)
    on.ports.audit = audit
    expect(heading(await on.http(getRequest(link)))).toEqual([410, 'This plan was withdrawn'])
    await tellOutcomes(on.ports, id)
    await end()
    expect([(await project()).state, (await chain('PLAN_WITHDRAWN')).length]).toEqual(['REJECTED', 1])
  })

  it('that could not be mailed holds nobody up, and is mailed later', { timeout: LONG }, async () => {
    const { notifier } = on.ports
    on.ports.notifier = { send: (mail) => (mail.to === AUTHOR ? Promise.reject(new Error('no such mailbox')) : notifier.send(mail)) }
    await started()
    const held: Mail[] = []
    const end = tell(on, id, (mail) => {
      if (mail.to !== PEOPLE.security) return yes(mail)
      held.push(mail)
      return null
    })
    while (held.length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
    on.ports.notifier = notifier
    await chase(on.ports)
    expect(mailed(AUTHOR, 'plans')).toHaveLength(1)
    const link = linkTo(AUTHOR, 'plans')
    await on.http(postRequest(link, await withdrawing(link)))
    await end
    expect((await project()).state).toBe('REJECTED')
  })
})
