import { WaybillError } from './errors.ts'

export type JsonLimits = { maxBytes?: number; maxDepth?: number }

/** 256 MiB holds a report of a million segments; more is an attack or a mistake. */
const MAX_BYTES = 256 * 1024 * 1024
/** Deeper than any document of ours by far, shallow enough that recursion cannot exhaust the stack. */
export const MAX_DEPTH = 128

/**
 * Parses JSON and refuses every text on which two honest parsers could disagree: duplicate keys, integers beyond ±(2^53 − 1),
 * numbers too big or too small for a double, lone surrogates, a `__proto__` key, a byte order mark, invalid UTF-8, trailing text.
 * Objects come back as plain objects.
 * @throws BAD_INPUT with the character offset, or TOO_LARGE
 */
export function parseStrictJson(bytes: Uint8Array | string, limits: JsonLimits = {}): unknown {
  const size = typeof bytes === 'string' ? Buffer.byteLength(bytes) : bytes.byteLength
  const maxBytes = limits.maxBytes ?? MAX_BYTES
  if (size > maxBytes) throw new WaybillError('TOO_LARGE', `this JSON document has ${size} bytes; at most ${maxBytes} are read here`)
  return new Scanner(textOf(bytes), limits.maxDepth ?? MAX_DEPTH).document()
}

function textOf(bytes: Uint8Array | string): string {
  let text: string
  if (typeof bytes === 'string') {
    if (!bytes.isWellFormed()) throw new WaybillError('BAD_INPUT', 'this JSON document holds a lone surrogate, so it has no UTF-8 form')
    text = bytes
  } else {
    try {
      text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    } catch (cause) {
      throw new WaybillError('BAD_INPUT', 'this JSON document is not valid UTF-8; save it as UTF-8 without a byte order mark', { cause })
    }
  }
  if (text.charCodeAt(0) === 0xfeff)
    throw new WaybillError('BAD_INPUT', 'this JSON document starts with a byte order mark; save it without one')
  return text
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const MINUS = 0x2d
const ZERO = 0x30
const NINE = 0x39

const ESCAPES: Readonly<Record<string, string>> = { '"': '"', '\\': '\\', '/': '/', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' }

class Scanner {
  readonly #text: string
  readonly #maxDepth: number
  #at = 0

  constructor(text: string, maxDepth: number) {
    this.#text = text
    this.#maxDepth = maxDepth
  }

  document(): unknown {
    const value = this.#value(0)
    this.#space()
    if (this.#at < this.#text.length) this.#refuse('text after the end of the document')
    return value
  }

  #value(depth: number): unknown {
    this.#space()
    const code = this.#text.charCodeAt(this.#at)
    if (code === QUOTE) return this.#string()
    if (code === 0x7b) return this.#object(this.#deeper(depth))
    if (code === 0x5b) return this.#array(this.#deeper(depth))
    if (code === MINUS || (code >= ZERO && code <= NINE)) return this.#number()
    if (code === 0x74) return this.#word('true', true)
    if (code === 0x66) return this.#word('false', false)
    if (code === 0x6e) return this.#word('null', null)
    return this.#refuse(this.#at >= this.#text.length ? 'the document ends too early' : 'no JSON value starts here')
  }

  #deeper(depth: number): number {
    if (depth >= this.#maxDepth) this.#refuse(`nested deeper than ${this.#maxDepth}`)
    return depth + 1
  }

  #object(depth: number): Record<string, unknown> {
    const object: Record<string, unknown> = {}
    this.#at++
    this.#space()
    if (this.#take(0x7d)) return object
    for (;;) {
      this.#space()
      if (this.#text.charCodeAt(this.#at) !== QUOTE) this.#refuse('a key in double quotes was expected')
      const key = this.#string()
      // Assigning `__proto__` would set the prototype instead of a field: readers would disagree on what the document says.
      if (key === '__proto__') this.#refuse('a key named __proto__')
      if (Object.hasOwn(object, key)) this.#refuse(`the key ${JSON.stringify(key.slice(0, 64))} stands twice in one object`)
      this.#space()
      if (!this.#take(0x3a)) this.#refuse('a colon was expected')
      object[key] = this.#value(depth)
      this.#space()
      if (this.#take(0x2c)) continue
      if (this.#take(0x7d)) return object
      this.#refuse('a comma or } was expected')
    }
  }

  #array(depth: number): unknown[] {
    const array: unknown[] = []
    this.#at++
    this.#space()
    if (this.#take(0x5d)) return array
    for (;;) {
      array.push(this.#value(depth))
      this.#space()
      if (this.#take(0x2c)) continue
      if (this.#take(0x5d)) return array
      this.#refuse('a comma or ] was expected')
    }
  }

  #string(): string {
    const text = this.#text
    const start = ++this.#at
    for (let at = start; ; at++) {
      const code = text.charCodeAt(at)
      if (code === QUOTE) {
        this.#at = at + 1
        return text.slice(start, at)
      }
      if (code === BACKSLASH) {
        this.#at = at
        return this.#escaped(text.slice(start, at))
      }
      // NaN (past the end) fails every comparison, so it is caught by the negation.
      if (!(code >= 0x20)) {
        this.#at = Math.min(at, text.length)
        this.#refuse(at >= text.length ? 'a string without its closing quote' : 'a control character inside a string')
      }
    }
  }

  #escaped(head: string): string {
    const text = this.#text
    let result = head
    let run = this.#at
    let at = this.#at
    for (;;) {
      const code = text.charCodeAt(at)
      if (code === QUOTE) break
      if (!(code >= 0x20)) {
        this.#at = Math.min(at, text.length)
        this.#refuse(at >= text.length ? 'a string without its closing quote' : 'a control character inside a string')
      }
      if (code !== BACKSLASH) {
        at++
        continue
      }
      result += text.slice(run, at)
      const letter = text.charAt(at + 1)
      if (letter === 'u') {
        const digits = text.slice(at + 2, at + 6)
        if (!/^[0-9A-Fa-f]{4}$/.test(digits)) {
          this.#at = at
          this.#refuse('\\u needs four hexadecimal digits')
        }
        result += String.fromCharCode(Number.parseInt(digits, 16))
        at += 6
      } else {
        const plain = ESCAPES[letter]
        if (plain === undefined || !Object.hasOwn(ESCAPES, letter)) {
          this.#at = at
          this.#refuse('an escape that JSON does not have')
        }
        result += plain
        at += 2
      }
      run = at
    }
    result += text.slice(run, at)
    if (!result.isWellFormed()) this.#refuse('a lone surrogate')
    this.#at = at + 1
    return result
  }

  #number(): number {
    const text = this.#text
    const start = this.#at
    let at = start
    if (text.charCodeAt(at) === MINUS) at++
    if (text.charCodeAt(at) === ZERO) at++
    else at = this.#digits(at)
    if (text.charCodeAt(at) === 0x2e) at = this.#digits(at + 1)
    const exponent = text.charCodeAt(at)
    if (exponent === 0x65 || exponent === 0x45) {
      const sign = text.charCodeAt(at + 1)
      at = this.#digits(sign === 0x2b || sign === MINUS ? at + 2 : at + 1)
    }
    const literal = text.slice(start, at)
    const value = Number(literal)
    if (!Number.isFinite(value)) this.#refuse('a number too big for a double; write it as text')
    if (Number.isInteger(value) && !Number.isSafeInteger(value)) this.#refuse('an integer beyond 9007199254740991; write it as text')
    if (value === 0 && /^-?[0.]*[1-9]/.test(literal)) this.#refuse('a number too small for a double; write it as text')
    this.#at = at
    return value
  }

  #digits(from: number): number {
    let at = from
    for (let code = this.#text.charCodeAt(at); code >= ZERO && code <= NINE; code = this.#text.charCodeAt(at)) at++
    if (at === from) {
      this.#at = Math.min(at, this.#text.length)
      this.#refuse('a digit was expected')
    }
    return at
  }

  #word<T>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#at)) this.#refuse('no JSON value starts here')
    this.#at += word.length
    return value
  }

  #space(): void {
    for (let code = this.#text.charCodeAt(this.#at); code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09; ) {
      code = this.#text.charCodeAt(++this.#at)
    }
  }

  #take(code: number): boolean {
    if (this.#text.charCodeAt(this.#at) !== code) return false
    this.#at++
    return true
  }

  #refuse(what: string): never {
    throw new WaybillError('BAD_INPUT', `not acceptable as JSON at character ${this.#at}: ${what}`)
  }
}
