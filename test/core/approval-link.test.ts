import { expect, it } from 'vitest'
import {
  checkLink,
  checkPlanLink,
  checkRegistration,
  type LinkFields,
  linkToken,
  type PlanLinkFields,
  planLinkToken,
  registrationToken,
} from '../../layers/core/approval-link.ts'
import { checkFormToken, formToken } from '../../layers/core/approval-page/form-token.ts'
import { cookie, readCookie, type Session, session } from '../../layers/core/approval-page/session.ts'
import { WaybillError } from '../../layers/core/errors.ts'
import { MAC_MESSAGE_BYTES, type MacChecker, type MacMaker } from '../../layers/core/ports.ts'
import { macsOf } from '../support/macs.ts'

const { make, isOurs } = macsOf(new Uint8Array(32).fill(7))
const NOW = new Date('2026-03-01T00:00:00.000Z')
const PLAN: PlanLinkFields = {
  project_id: 'p-1',
  person: 'ada@example.org',
  role: 'engineering_manager',
  plan_sha256: 'a'.repeat(64),
  expires_at: '2026-03-02T00:00:00.000Z',
}
const REQUEST: LinkFields = {
  approval_id: 'p-1',
  approver: 'ada@example.org',
  role: 'engineering_manager',
  subject_sha256: 'a'.repeat(64),
  transition: null,
  expires_at: '2026-03-02T00:00:00.000Z',
}
const SESSION: Session = { issuer: 'https://id.example', subject: 's', email: 'ada@example.org', until: '2026-03-02T00:00:00.000Z' }
const refused = expect.objectContaining({ code: 'APPROVAL_REFUSED' })

it('one kind of link never opens what another is for, whatever they are about, were their keys the same', async () => {
  const tokens = [
    await linkToken(make, REQUEST),
    await registrationToken(make, REQUEST),
    await planLinkToken(make, 'waivers', PLAN),
    await planLinkToken(make, 'plans', PLAN),
  ]
  expect(new Set(tokens).size).toBe(4)
  const checks = [
    (token: string) => checkLink(isOurs, REQUEST, token, NOW),
    (token: string) => checkRegistration(isOurs, REQUEST, token, NOW),
    (token: string) => checkPlanLink(isOurs, 'waivers', PLAN, token, NOW),
    (token: string) => checkPlanLink(isOurs, 'plans', PLAN, token, NOW),
  ]
  for (const [at, check] of checks.entries())
    for (const [made, token] of tokens.entries()) {
      if (made === at) await check(token)
      else await expect(check(token), `${made} as ${at}`).rejects.toThrow(refused)
    }
})

it('a link to a plan is bound to each of its fields and to the key, and ends with the plan', async () => {
  const token = await planLinkToken(make, 'waivers', PLAN)
  const others: Partial<PlanLinkFields>[] = [
    { project_id: 'p-2' },
    { person: 'ada@example.com' },
    { role: 'migration_lead' },
    { plan_sha256: 'b'.repeat(64) },
    { expires_at: '2026-03-03T00:00:00.000Z' },
  ]
  for (const other of others) await expect(checkPlanLink(isOurs, 'waivers', { ...PLAN, ...other }, token, NOW)).rejects.toThrow(refused)
  const another = macsOf(new Uint8Array(32).fill(8))
  await expect(checkPlanLink(another.isOurs, 'waivers', PLAN, token, NOW)).rejects.toThrow(refused)
  await expect(checkPlanLink(isOurs, 'waivers', PLAN, token, new Date(PLAN.expires_at))).rejects.toThrow(
    expect.objectContaining({ code: 'APPROVAL_EXPIRED' }),
  )
})

it('a link that cannot be checked is neither refused nor opened', async () => {
  const away: MacChecker = () => Promise.reject(new WaybillError('CONNECTION_FAILED', 'not now'))
  const failed = expect.objectContaining({ code: 'CONNECTION_FAILED' })
  const token = await linkToken(make, REQUEST)
  await expect(checkLink(away, REQUEST, token, NOW)).rejects.toThrow(failed)
  await expect(checkLink(away, REQUEST, token, new Date('2030-01-01'))).rejects.toThrow(failed)
  await expect(checkFormToken(away, 'a-1', PLAN.plan_sha256, await formToken(make, 'a-1', PLAN.plan_sha256, NOW), NOW)).rejects.toThrow(
    failed,
  )
  const [written = ''] = (await cookie(make, 'session', SESSION, 60, true)).split(';')
  await expect(readCookie(away, 'session', written, session, NOW)).rejects.toThrow(failed)
})

it('what has no shape of ours is refused without asking anybody', async () => {
  let asked = 0
  const counting: MacChecker = async () => ++asked > 0
  const token = await linkToken(make, REQUEST)
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const twins = [1, 2, 3].map((spare) => token.slice(0, -1) + alphabet[alphabet.indexOf(token.at(-1)!) ^ spare])
  for (const bad of ['', 'x', `${token}=`, token.slice(1), `${token}A`, ...twins])
    await expect(checkLink(counting, REQUEST, bad, NOW), bad).rejects.toThrow(refused)
  const [written = ''] = (await cookie(make, 'session', SESSION, 60, true)).split(';')
  const [body = '', mac = ''] = written.split('.')
  const twin = `${body}.${mac.slice(0, -1)}${alphabet[alphabet.indexOf(mac.at(-1)!) ^ 1]}`
  for (const bad of [undefined, '', body, `${body}.`, twin]) expect(await readCookie(counting, 'session', bad, session, NOW)).toBe(null)
  expect(await checkFormToken(counting, 'a-1', PLAN.plan_sha256, 'x.y', NOW)).toBe(false)
  expect(asked).toBe(0)
})

it('no two things that are authenticated with the key of pages stand in for one another', async () => {
  const [written = ''] = (await cookie(make, 'session', SESSION, 60, true)).split(';')
  expect(await readCookie(isOurs, 'session', written, session, NOW)).toEqual(SESSION)
  expect(await readCookie(isOurs, 'sign-in', written.replace('waybill-session', 'waybill-sign-in'), session, NOW)).toBe(null)
  const [issued = '', hex = ''] = (await formToken(make, 'a-1', PLAN.plan_sha256, NOW)).split('.')
  const asCookie = `waybill-session=${Buffer.from(issued).toString('base64url')}.${Buffer.from(hex, 'hex').toString('base64url')}`
  expect(await readCookie(isOurs, 'session', asCookie, session, NOW)).toBe(null)
})

it('the longest of them is short enough to be authenticated at once', async () => {
  const sizes: number[] = []
  const measuring: MacMaker = async (message) => {
    sizes.push(message.length)
    return new Uint8Array(32)
  }
  const email = `${'a'.repeat(64)}@${'b'.repeat(185)}.org`
  const fields = { approver: email, role: 'engineering_manager', subject_sha256: 'a'.repeat(64), expires_at: PLAN.expires_at } as const
  await linkToken(measuring, { ...fields, approval_id: 'a'.repeat(128), transition: 'CUTOVER_READY->CUTOVER_DONE' })
  await planLinkToken(measuring, 'plans', { ...PLAN, project_id: 'a'.repeat(128), person: email })
  await cookie(measuring, 'session', { ...SESSION, issuer: `https://${'i'.repeat(492)}`, subject: 's'.repeat(255), email }, 60, true)
  expect(sizes.map((size) => size < 2000)).toEqual([true, true, true])
  // What is read back is at most 4,000 characters of body, and the rest of the message around it.
  await readCookie(
    async (message) => sizes.push(message.length) < 0,
    'sign-in',
    `waybill-sign-in=${'x'.repeat(4000)}.${'A'.repeat(43)}`,
    session,
    NOW,
  )
  expect(sizes[3]).toBeLessThanOrEqual(MAC_MESSAGE_BYTES)
})
