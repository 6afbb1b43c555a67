import { request as plainRequest } from 'node:http'
import { request as tlsRequest } from 'node:https'
import { WaybillError } from '../core/errors.ts'

export type Exchange = {
  method: 'GET' | 'POST'
  url: URL
  headers?: Readonly<Record<string, string>>
  body?: string
  /** PEM of authorities that are trusted instead of the system's. */
  ca?: string | undefined
}
/** `json` is undefined where the body is none. */
export type Answer = { status: number; json: unknown }

export type Patience = {
  /** Between two attempts. */
  pause(milliseconds: number): Promise<void>
  timeoutMs: number
}
export const PATIENCE: Patience = {
  pause: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
  timeoutMs: 15_000,
}

/** Attempts in all when a store is busy or broken; pauses of 0.25, 0.5, 1 and 2 s between them, or what the store asks for. */
const ATTEMPTS = 5
const FIRST_PAUSE_MS = 250
const LONGEST_PAUSE_MS = 30_000
/** A secret is a line; more than this is something else. */
const LARGEST_ANSWER = 1_048_576

/**
 * One question to a secret store, asked again while the store says that it is busy (429) or broken (5xx, unless `final` says that it is no
 * use). No redirect is followed: it would take a token to another place. Nothing of what is sent or answered is ever in an error.
 * @throws CONNECTION_FAILED, PERMISSION_DENIED for a place that is not encrypted and not on this machine
 */
export async function ask(
  store: string,
  exchange: Exchange,
  { pause, timeoutMs }: Patience,
  final: (answer: Answer) => boolean = () => false,
): Promise<Answer> {
  for (let attempt = 1; ; attempt++) {
    const { retryAfter, ...answer } = await once(store, exchange, timeoutMs)
    const passing = (answer.status === 429 || answer.status >= 500) && !final(answer)
    if (!passing) return answer
    if (attempt === ATTEMPTS) {
      const what = answer.status === 429 ? 'is answering too many questions at once' : 'could not answer'
      throw failed(`${store} ${what} (HTTP ${answer.status}, ${ATTEMPTS} attempts). Try again later.`)
    }
    await pause(Math.min(Math.max(FIRST_PAUSE_MS * 2 ** (attempt - 1), retryAfter * 1000), LONGEST_PAUSE_MS))
  }
}

/** @throws PERMISSION_DENIED where a secret would travel in the clear to another machine */
export function safePlace(store: string, url: URL): URL {
  if (url.username !== '' || url.password !== '')
    throw new WaybillError('BAD_INPUT', `The address of ${store} holds a user or password. Leave them out of the address.`)
  const here = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(url.hostname)
  if (url.protocol === 'https:' || (url.protocol === 'http:' && here)) return url
  throw new WaybillError('PERMISSION_DENIED', `${store} is asked over https only, unless it is on this machine. Change its address.`)
}

type Heard = Answer & { retryAfter: number }

function once(store: string, { method, url, headers = {}, body, ca }: Exchange, timeoutMs: number): Promise<Heard> {
  return new Promise((resolve, reject) => {
    const request = (url.protocol === 'https:' ? tlsRequest : plainRequest)(url, {
      method,
      headers: { accept: 'application/json', ...headers, ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }) },
      signal: AbortSignal.timeout(timeoutMs),
      ...(ca === undefined ? {} : { ca }),
    })
    // An error of the system names a code and an address; one of a parser would quote what it read.
    const lost = (error: unknown) => reject(failed(`${store} could not be reached${codeOf(error)}. Check its address, then try again.`))
    request.on('error', lost)
    request.on('response', (response) => {
      const status = response.statusCode ?? 0
      const parts: Buffer[] = []
      let size = 0
      response.on('data', (part: Buffer) => {
        size += part.length
        if (size <= LARGEST_ANSWER) parts.push(part)
        else request.destroy()
      })
      response.on('error', lost)
      response.on('close', () => {
        if (!response.complete) lost(null)
        else if (status >= 300 && status < 400)
          reject(failed(`${store} leads elsewhere (HTTP ${status}), where no token is sent. Give the address it leads to.`))
        else resolve({ status, json: parsed(Buffer.concat(parts)), retryAfter: secondsOf(response.headers['retry-after']) })
      })
    })
    request.end(body)
  })
}

function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    return undefined
  }
}

function secondsOf(header: string | undefined): number {
  return /^\d{1,6}$/.test(header ?? '') ? Number(header) : 0
}

function codeOf(error: unknown): string {
  const { code, name } = (error ?? {}) as { code?: unknown; name?: unknown }
  if (name === 'TimeoutError' || name === 'AbortError') return ' in time'
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]{1,63}$/.test(code) ? ` (${code})` : ''
}

function failed(message: string): WaybillError {
  return new WaybillError('CONNECTION_FAILED', message)
}

/** @throws CONNECTION_FAILED when an answer is not what the store documents; the answer itself is not repeated */
export function unexpected(store: string, status: number): WaybillError {
  return failed(`${store} answered in a form that is not its own (HTTP ${status}). Check its address.`)
}
