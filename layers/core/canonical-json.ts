import { createHash } from 'node:crypto'
import { WaybillError } from './errors.ts'
import { MAX_DEPTH } from './strict-json.ts'

export { type JsonLimits, parseStrictJson } from './strict-json.ts'

/**
 * The one text of a JSON value: RFC 8785. Keys sort by UTF-16 code units, numbers print as ECMAScript prints them, no white space.
 * Narrower than the RFC in one thing: integers beyond ±(2^53 − 1) are refused, because a count that reached one has already lost rows.
 * @throws BAD_INPUT for `undefined`, bigint, Date and other objects that are not plain, NaN, infinities, lone surrogates, `__proto__`, cycles
 */
export function canonicalJson(value: unknown): string {
  const parts: string[] = []
  write(value, 0, (text) => parts.push(text))
  return parts.join('')
}

/** UTF-8 of `canonicalJson`. */
export function canonicalBytes(value: unknown): Uint8Array {
  return new TextEncoder().encode(canonicalJson(value))
}

/** Text is hashed in pieces of this many bytes: the canonical form of a report of 100,000 segments never stands in memory whole. */
const PIECE = 1 << 16

/** SHA-256 of `canonicalBytes`, in hexadecimal. */
export function digestOf(value: unknown): string {
  const hash = createHash('sha256')
  const piece = Buffer.allocUnsafe(PIECE)
  let used = 0
  write(value, 0, (text) => {
    // UTF-8 needs at most three bytes for what counts as one character in a text.
    const most = text.length * 3
    if (used + most > PIECE) {
      hash.update(piece.subarray(0, used))
      used = 0
    }
    if (most > PIECE) hash.update(text, 'utf8')
    else used += piece.write(text, used)
  })
  return hash.update(piece.subarray(0, used)).digest('hex')
}

/** A finite double as RFC 8785 prints it. @throws BAD_INPUT for NaN and infinities */
export function canonicalNumber(value: number): string {
  if (!Number.isFinite(value)) throw refusal(`${value} is no JSON number`)
  return String(value)
}

type Emit = (text: string) => void

/** Emits the canonical text in order. Every piece is well-formed by itself: no character is cut in two. */
function write(value: unknown, depth: number, emit: Emit): void {
  if (value === null) emit('null')
  else if (typeof value === 'string') emit(quoted(value))
  else if (typeof value === 'boolean') emit(value ? 'true' : 'false')
  else if (typeof value === 'number') {
    if (Number.isInteger(value) && !Number.isSafeInteger(value)) throw refusal('an integer beyond 9007199254740991 must be text')
    emit(canonicalNumber(value))
  } else {
    if (typeof value !== 'object') throw refusal(`a ${typeof value} has no JSON form`)
    if (depth >= MAX_DEPTH) throw refusal(`nested deeper than ${MAX_DEPTH}, or a cycle`)
    if (Array.isArray(value)) writeArray(value, depth + 1, emit)
    else writeObject(value, depth + 1, emit)
  }
}

function writeArray(array: readonly unknown[], depth: number, emit: Emit): void {
  let before = '['
  for (const item of array) {
    emit(before)
    write(item, depth, emit)
    before = ','
  }
  emit(before === '[' ? '[]' : ']')
}

function writeObject(object: object, depth: number, emit: Emit): void {
  const prototype = Object.getPrototypeOf(object)
  if (prototype !== Object.prototype && prototype !== null) throw refusal('only plain objects have a JSON form')
  const entries = object as Readonly<Record<string, unknown>>
  let before = '{'
  // The default sort compares UTF-16 code units, which is what RFC 8785 asks for.
  for (const key of Object.keys(object).sort()) {
    if (key === '__proto__') throw refusal('a key named __proto__')
    emit(`${before}${quoted(key)}:`)
    write(entries[key], depth, emit)
    before = ','
  }
  emit(before === '{' ? '{}' : '}')
}

function quoted(text: string): string {
  if (!text.isWellFormed()) throw refusal('text with a lone surrogate has no UTF-8 form')
  return JSON.stringify(text)
}

function refusal(what: string): WaybillError {
  return new WaybillError('BAD_INPUT', `this value cannot be written as canonical JSON: ${what}`)
}
