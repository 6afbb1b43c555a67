import { z } from 'zod'
import { parseStrictJson } from '../canonical-json.ts'
import { macOf } from '../mac-text.ts'
import type { MacChecker, MacMaker } from '../ports.ts'
import { instant, slug } from '../schemas/common.ts'

/** What waits in the browser while its person is at the identity provider. */
export const pendingSignIn = z.strictObject({
  /** The request, or the project whose plan the page is about. */
  approval_id: slug,
  /** Of the link that brought the person here. */
  link_token: z.string().max(64),
  /** Where to go back to: the approval, the page where a passkey is registered, or a page about a whole plan. */
  folder: z.enum(['approvals', 'passkeys', 'waivers', 'plans']),
  state: z.string().min(20).max(128),
  nonce: z.string().min(20).max(128),
  verifier: z.string().min(43).max(128),
  until: instant,
})
export type PendingSignIn = z.infer<typeof pendingSignIn>

/** Who signed in; `email` only where the provider says that it verified it. */
export const session = z.strictObject({
  issuer: z.string().min(1).max(500),
  subject: z.string().min(1).max(255),
  email: z.email().max(254).nullable(),
  until: instant,
})
export type Session = z.infer<typeof session>

const NAMES = { session: 'waybill-session', 'sign-in': 'waybill-sign-in' } as const
type Kind = keyof typeof NAMES

/** A cookie that only this server can have written. Lax: it comes along when a link in a mail is opened, not with another site's form. */
export async function cookie(make: MacMaker, kind: Kind, value: Session | PendingSignIn, seconds: number, https: boolean): Promise<string> {
  const body = Buffer.from(JSON.stringify(value)).toString('base64url')
  const attributes = `Path=/; Max-Age=${seconds}; HttpOnly; SameSite=Lax${https ? '; Secure' : ''}`
  const mac = Buffer.from(await make(bound(kind, body))).toString('base64url')
  return `${NAMES[kind]}=${body}.${mac}; ${attributes}`
}

/** The value of a cookie that was written by `cookie` and whose time is not over; null for anything else. @throws what `isOurs` throws where it cannot tell */
export async function readCookie<S extends typeof session | typeof pendingSignIn>(
  isOurs: MacChecker,
  kind: Kind,
  header: string | undefined,
  schema: S,
  now: Date,
): Promise<z.infer<S> | null> {
  const text = header
    ?.split(';')
    .map((part) => part.trim())
    .find((part) => part.startsWith(`${NAMES[kind]}=`))
    ?.slice(NAMES[kind].length + 1)
  const match = /^([A-Za-z0-9_-]{1,4000})\.([A-Za-z0-9_-]{43})$/.exec(text ?? '')
  if (match === null) return null
  const [, body = '', given = ''] = match
  const mac = macOf(given)
  if (mac === null || !(await isOurs(bound(kind, body), mac))) return null
  const parsed = schema.safeParse(parseStrictJson(Buffer.from(body, 'base64url')))
  return parsed.success && now.getTime() < Date.parse(parsed.data.until) ? (parsed.data as z.infer<S>) : null
}

function bound(kind: Kind, body: string): Uint8Array {
  return Buffer.from(JSON.stringify(['waybill/cookie/v1', kind, body]))
}
