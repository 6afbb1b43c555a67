import { sha256 } from './digest.ts'
import { WaybillError } from './errors.ts'
import { MAX_DEPTH } from './strict-json.ts'

export { type JsonLimits, parseStrictJson } from './strict-json.ts'

/**
 * The one text of a JSON value: RFC 8785. Keys sort by UTF-16 code units, numbers print as ECMAScript prints them, no white space.
 * Narrower than the RFC in one thing: integers beyond ±(2^53 − 1) are refused, because a count that reached one has already lost rows.
 * @throws BAD_INPUT for `undefined`, bigint, Date and other objects that are not plain, NaN, infinities, lone surrogates, `__proto__`, cycles
 */
export function canonicalJson(value: unknown): string {
  return write(value, 0)
}

/** UTF-8 of `canonicalJson`. */
export function canonicalBytes(value: unknown): Uint8Array {
  return new TextEncoder().encode(canonicalJson(value))
}

/** SHA-256 of `canonicalBytes`, in hexadecimal. */
export function digestOf(value: unknown): string {
  return sha256(canonicalJson(value))
}

/** A finite double as RFC 8785 prints it. @throws BAD_INPUT for NaN and infinities */
export function canonicalNumber(value: number): string {
  if (!Number.isFinite(value)) throw refusal(`${value} is no JSON number`)
  return String(value)
}

function write(value: unknown, depth: number): string {
  if (value === null) return 'null'
  if (typeof value === 'string') return quoted(value)
  if (typeof value === 'boolean') return value ? 'true' : 'false'
  if (typeof value === 'number') {
    if (Number.isInteger(value) && !Number.isSafeInteger(value)) throw refusal('an integer beyond 9007199254740991 must be text')
    return canonicalNumber(value)
  }
  if (typeof value !== 'object') throw refusal(`a ${typeof value} has no JSON form`)
  if (depth >= MAX_DEPTH) throw refusal(`nested deeper than ${MAX_DEPTH}, or a cycle`)
  return Array.isArray(value) ? writeArray(value, depth + 1) : writeObject(value, depth + 1)
}

function writeArray(array: readonly unknown[], depth: number): string {
  const parts: string[] = []
  for (const item of array) parts.push(write(item, depth))
  return `[${parts.join(',')}]`
}

function writeObject(object: object, depth: number): string {
  const prototype = Object.getPrototypeOf(object)
  if (prototype !== Object.prototype && prototype !== null) throw refusal('only plain objects have a JSON form')
  const entries = object as Readonly<Record<string, unknown>>
  const parts: string[] = []
  // The default sort compares UTF-16 code units, which is what RFC 8785 asks for.
  for (const key of Object.keys(object).sort()) {
    if (key === '__proto__') throw refusal('a key named __proto__')
    parts.push(`${quoted(key)}:${write(entries[key], depth)}`)
  }
  return `{${parts.join(',')}}`
}

function quoted(text: string): string {
  if (!text.isWellFormed()) throw refusal('text with a lone surrogate has no UTF-8 form')
  return JSON.stringify(text)
}

function refusal(what: string): WaybillError {
  return new WaybillError('BAD_INPUT', `this value cannot be written as canonical JSON: ${what}`)
}
