import { WaybillError } from '../../core/errors.ts'

/**
 * JSON text as PostgreSQL prints it after it was stored as jsonb: keys by length and bytes, of equal keys the last, blanks after colons and
 * commas, numbers in full with as many decimals as were written.
 * @throws NOT_REPRESENTABLE for text that is no JSON, or that jsonb does not hold; the text is not repeated
 */
export function jsonbText(text: string): string {
  const reader = new Reader(text)
  const value = reader.value()
  reader.end()
  return value
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: exactly these characters may not stand in a string of JSON
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y
const NUMBER = /(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]{1,5}))?/y
const WORD = /true|false|null/y
const BLANK = /[ \t\n\r]*/y

class Reader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  value(): string {
    this.#blank()
    const next = this.#text[this.#at]
    if (next === '{') return this.#object()
    if (next === '[') return this.#array()
    if (next === '"') return printed(this.#string())
    const word = this.#match(WORD)
    if (word !== null) return word[0]
    const number = this.#match(NUMBER)
    return number === null ? refuse('no JSON') : plain(number)
  }

  end(): void {
    this.#blank()
    if (this.#at < this.#text.length) refuse('no JSON')
  }

  #object(): string {
    const members = new Map<string, string>()
    this.#list('{', '}', () => {
      this.#blank()
      const key = this.#string()
      this.#take(':')
      members.set(key, this.value())
    })
    const keys = [...members.keys()].map((key) => ({ key, bytes: Buffer.from(key) }))
    keys.sort((a, b) => a.bytes.length - b.bytes.length || a.bytes.compare(b.bytes))
    return `{${keys.map(({ key }) => `${printed(key)}: ${members.get(key)}`).join(', ')}}`
  }

  #array(): string {
    const items: string[] = []
    this.#list('[', ']', () => items.push(this.value()))
    return `[${items.join(', ')}]`
  }

  #list(open: string, close: string, item: () => void): void {
    this.#take(open)
    this.#blank()
    if (this.#text[this.#at] === close) {
      this.#at++
      return
    }
    for (;;) {
      item()
      this.#blank()
      if (this.#text[this.#at] === close) {
        this.#at++
        return
      }
      this.#take(',')
    }
  }

  #string(): string {
    const found = this.#match(STRING)
    if (found === null) return refuse('no JSON')
    const value = JSON.parse(found[0]) as string
    return value.includes('\u0000') || !value.isWellFormed() ? refuse('JSON with a character that jsonb does not hold') : value
  }

  #take(char: string): void {
    this.#blank()
    if (this.#text[this.#at] !== char) refuse('no JSON')
    this.#at++
  }

  #blank(): void {
    this.#match(BLANK)
  }

  #match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)
    if (found !== null) this.#at = pattern.lastIndex
    return found
  }
}

function plain([, sign = '', whole = '', fraction = '', exponent = '0']: RegExpExecArray): string {
  const power = Number(exponent)
  const point = whole.length + power
  const digits = '0'.repeat(Math.max(0, -point)) + whole + fraction
  const at = Math.max(0, point)
  const left = digits.slice(0, at).padEnd(at, '0').replace(/^0+/, '')
  const right = digits.slice(at)
  const zero = /^0*$/.test(left + right)
  return `${zero ? '' : sign}${left === '' ? '0' : left}${right === '' ? '' : `.${right}`}`
}

const SHORT: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
}

function printed(value: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: exactly these characters are escaped in JSON
  return `"${value.replace(/["\\\u0000-\u001f]/g, (char) => SHORT[char] ?? `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)}"`
}

function refuse(what: string): never {
  throw new WaybillError('NOT_REPRESENTABLE', `A value is ${what}.`)
}
