import { WaybillError } from '../../core/errors.ts'

/** Where a password is for: one user of one server. */
export type Endpoint = { host: string; port: number; user: string }
/** Makes a password that is good for now. */
export type AskPassword = (endpoint: Endpoint) => Promise<string>

/** Word of a connection string that says who makes its passwords; it never reaches the driver. */
const WORD = 'waybill_password'
const makers = new Map<string, AskPassword>()

/** Names who makes passwords for connection strings with `waybill_password=<kind>`. A composition root says it once, for its platform. */
export function makePasswordsBy(kind: string, ask: AskPassword): void {
  makers.set(kind, ask)
}

/**
 * A connection string without that word, and who makes its password; null: it holds its own. Such a password is made anew for every connection, since it may
 * be good for minutes only, and a worker reconnects after hours.
 * @throws PERMISSION_DENIED when nobody here makes such passwords
 */
export function passwordOf(url: string): { url: string; ask: AskPassword | null } {
  if (!url.includes(`${WORD}=`)) return { url, ask: null }
  const parsed = URL.parse(url)
  const kind = parsed?.searchParams.get(WORD)
  if (parsed === null || kind === null || kind === undefined) return { url, ask: null }
  const ask = makers.get(kind)
  if (ask === undefined)
    throw new WaybillError('PERMISSION_DENIED', `Passwords of the kind ${JSON.stringify(kind.slice(0, 40))} are made on AWS only.`)
  parsed.searchParams.delete(WORD)
  return { url: parsed.href, ask }
}
