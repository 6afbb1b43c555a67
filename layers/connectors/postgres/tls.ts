import { readFileSync } from 'node:fs'
import { isIPv4 } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import pg from 'pg'
import type { TlsDemands } from '../../core/connector.ts'
import { WaybillError } from '../../core/errors.ts'

const MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const
export type TlsMode = (typeof MODES)[number]

/** Words of a connection string that are about TLS. None of them reaches the driver, whose reading of them differs from psql's. */
const WORDS = ['ssl', 'sslmode', 'sslrootcert', 'sslcert', 'sslkey', 'sslpassword', 'sslnegotiation', 'uselibpqcompat']

/** `url` without those words; the ways to connect, in the order to try them. `false` is without TLS. */
export type Dialling = { url: string; attempts: (false | ConnectionOptions)[] }

/** 127.0.0.0/8, ::1, `localhost` or a Unix socket: bytes that never leave this machine. Any other spelling counts as another machine. */
export function isLoopback(host: string): boolean {
  const plain = host.toLowerCase().replace(/^::ffff:/, '')
  return host.startsWith('/') || plain === 'localhost' || plain === '::1' || (isIPv4(plain) && plain.startsWith('127.'))
}

/**
 * The connection string with what a plan demands written into its `sslmode`, so that every session opened from it, also one that only
 * cancels, obeys. Sends nothing. Required means verified: the certificate must be trusted and bear the host's name.
 * @throws SPEC_INVALID when the string cannot do what is required, PERMISSION_DENIED when plain text would leave this machine, BAD_INPUT
 */
export function underTls(url: string, demands: TlsDemands | undefined, side: 'source' | 'target'): string {
  if (demands === undefined) return url
  const parsed = parse(url, side)
  const said = modeOf(parsed, side)
  const host = hostOf(url, side)
  let mode: TlsMode
  if (demands[side] === 'required') {
    const why = `The ${side} must be reached with TLS (tls_enabled)`
    const advice = 'Set tls_enabled: false only if the server is on this machine.'
    if (said === 'disable') throw new WaybillError('SPEC_INVALID', `${why}, and its connection string says sslmode=disable. ${advice}`)
    if (host.startsWith('/')) throw new WaybillError('SPEC_INVALID', `${why}, and a Unix socket carries none. ${advice}`)
    mode = 'verify-full'
  } else {
    if (!isLoopback(host) && !demands.offAnywhere && said !== 'verify-full') {
      throw new WaybillError(
        'PERMISSION_DENIED',
        `The ${side} has tls_enabled: false, which the policy allows only to a server on this machine (127.0.0.0/8, ::1, localhost or a Unix socket), and its connection string names another one. Set tls_enabled: true. Nothing was sent.`,
      )
    }
    mode = said ?? 'disable'
  }
  parsed.searchParams.delete('ssl')
  parsed.searchParams.set('sslmode', mode)
  return parsed.href
}

/**
 * How to connect, by `sslmode` as psql reads it. Without one: TLS if the server has it, not verified; on this machine the other way round.
 * @throws BAD_INPUT for an unknown mode or an unreadable certificate file
 */
export function diallingOf(url: string, side: string): Dialling {
  const parsed = parse(url, side)
  const said = modeOf(parsed, side)
  const files = filesOf(parsed, side)
  if (WORDS.some((word) => parsed.searchParams.has(word))) for (const word of WORDS) parsed.searchParams.delete(word)
  const plain = parsed.search === new URL(url).search ? url : parsed.href
  const host = hostOf(plain, side)
  if (host.startsWith('/')) return { url: plain, attempts: [false] }
  const encrypted = { ...files, rejectUnauthorized: false }
  const trusted = { ...files, rejectUnauthorized: true, checkServerIdentity: () => undefined }
  const verified = { ...files, rejectUnauthorized: true }
  const attempts: Record<TlsMode, Dialling['attempts']> = {
    disable: [false],
    allow: [false, encrypted],
    prefer: [encrypted, false],
    require: [files.ca === undefined ? encrypted : trusted],
    'verify-ca': [trusted],
    'verify-full': [verified],
  }
  return { url: plain, attempts: attempts[said ?? (isLoopback(host) ? 'allow' : 'prefer')] }
}

const NO_TLS = 'The server does not support SSL connections'

/** Is it worth trying the next way? Only while no password was sent: the server has no TLS, or its rules admit no such connection. */
export function wantsOtherWay(error: unknown): boolean {
  const { code, message } = error as { code?: unknown; message?: unknown }
  return code === '28000' || message === NO_TLS
}

/** A TLS failure in words, or null when the error is none. */
export function tlsFailure(error: unknown, side: string): WaybillError | null {
  const { code, message } = error as { code?: unknown; message?: unknown }
  const deny = (text: string) => new WaybillError('PERMISSION_DENIED', text, { details: [`code ${String(code ?? 'none')}`] })
  if (message === NO_TLS) {
    return deny(
      `The ${side} server has no TLS, and this connection requires it. Switch TLS on at the server (ssl = on). No password was sent.`,
    )
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return deny(`The certificate of the ${side} server is for another host name. Use the name it was issued for. No password was sent.`)
  }
  if (typeof code !== 'string' || !/CERT|ISSUER|SIGNATURE|CRL|^ERR_(TLS|SSL|OSSL)|^HOSTNAME/.test(code)) return null
  return deny(
    `The certificate of the ${side} server is not trusted (${code}). Name its CA: add sslrootcert=/path/ca.pem to the connection string, or set NODE_EXTRA_CA_CERTS. No password was sent.`,
  )
}

/** @throws BAD_INPUT. The parser's own error quotes the string, and with it the password. */
function parse(url: string, side: string): URL {
  try {
    const parsed = new URL(url)
    if (parsed.protocol === 'postgres:' || parsed.protocol === 'postgresql:') return parsed
  } catch {}
  throw unreadable(side)
}

export function unreadable(side: string): WaybillError {
  return new WaybillError('BAD_INPUT', `The ${side} connection string is not of the form postgresql://user@host:port/database.`)
}

/** Threat: `?host=` names another server than the one before the path does. So the driver is asked where it would go. */
function hostOf(url: string, side: string): string {
  try {
    const bare = new URL(url)
    for (const word of WORDS) bare.searchParams.delete(word)
    return new pg.Client({ connectionString: bare.href, ssl: false }).host
  } catch {
    throw unreadable(side)
  }
}

function last(parsed: URL, word: string): string | undefined {
  return parsed.searchParams.getAll(word).at(-1) || undefined
}

function modeOf(parsed: URL, side: string): TlsMode | undefined {
  const said = last(parsed, 'sslmode')
  if (said === 'no-verify') return 'require'
  if (said === undefined) {
    const ssl = last(parsed, 'ssl')
    return ssl === undefined ? undefined : ssl === 'false' || ssl === '0' ? 'disable' : ssl === 'no-verify' ? 'require' : 'verify-full'
  }
  const mode = MODES.find((one) => one === said)
  if (mode !== undefined) return mode
  throw new WaybillError('BAD_INPUT', `The ${side} connection string has an unknown sslmode. Use one of ${MODES.join(', ')}.`)
}

function filesOf(parsed: URL, side: string): { ca?: string; cert?: string; key?: string } {
  const read = (word: string, as: 'ca' | 'cert' | 'key') => {
    const path = last(parsed, word)
    if (path === undefined || (as === 'ca' && path === 'system')) return {}
    try {
      return { [as]: readFileSync(path, 'utf8') }
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      throw new WaybillError('BAD_INPUT', `The file that ${word} of the ${side} connection names cannot be read (${code}).`)
    }
  }
  return { ...read('sslrootcert', 'ca'), ...read('sslcert', 'cert'), ...read('sslkey', 'key') }
}
