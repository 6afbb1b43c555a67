import { WaybillError } from '../../core/errors.ts'
import { textParts } from './text-parts.ts'

const LF = 10
const QUOTE = 34
const COMMA = 44
const COLON = 58
const BACKSLASH = 92
const OPEN_ARRAY = 91
const CLOSE_ARRAY = 93
const OPEN_OBJECT = 123
const CLOSE_OBJECT = 125

/** Deeper than any `jsonb` that PostgreSQL takes; the memory of the scan grows with it. */
const DEEPEST = 10_000

/** What may come next. `record`: a row of the file, or its end. */
type Place =
  | 'record'
  | 'value'
  | 'value or end'
  | 'key'
  | 'key or end'
  | 'colon'
  | 'behind value'
  | 'string'
  | 'escape'
  | 'word'
  | 'end of file'

/** Numbers and the three words, whole: they hold no character that ends one. */
const NUMBER = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/
const WORDS: readonly string[] = ['true', 'false', 'null']
/** Bytes of a number that are held together to look at it. PostgreSQL takes 16,383 digits behind the point and 131,072 before it. */
const LONGEST_WORD = 262_144

/**
 * Reads a JSON file from end to end by RFC 8259 and counts its rows: the elements of its array, or the values one after another. What DuckDB would
 * read all the same is refused with its line: an array that ends behind a comma, as one does whose writer died, commas before a closing bracket,
 * NaN and Infinity.
 * @throws NOT_REPRESENTABLE
 */
export async function jsonRecords(path: string): Promise<bigint> {
  const scan = new RecordScan()
  for await (const part of textParts(path)) scan.read(part)
  return scan.end()
}

const isBlank = (byte: number) => byte === 32 || byte === LF || byte === 13 || byte === 9

class RecordScan {
  #place: Place = 'record'
  /** The brackets that are open, the array around all rows among them. */
  readonly #open: number[] = []
  #inArray = false
  #records = 0n
  #line = 1
  #isKey = false
  /** Characters of an escape still to come, of which only \u has more than one. */
  #hex = 0
  #word = ''

  end(): bigint {
    if (this.#place === 'word') this.#endWord()
    if (this.#place === 'record' || this.#place === 'end of file') return this.#records
    return this.#refuse(this.#inArray && this.#open.length <= 1 ? 'ends before its array does' : 'ends inside a row')
  }

  read(part: Buffer): void {
    const length = part.length
    for (let at = 0; at < length; at++) {
      let byte = part[at]!
      if (this.#place === 'string') {
        while (byte !== QUOTE && byte !== BACKSLASH && byte >= 32 && ++at < length) byte = part[at]!
        if (at === length) return
        if (byte === QUOTE) this.#place = this.#isKey ? 'colon' : this.#behind()
        else if (byte === BACKSLASH) this.#place = 'escape'
        else this.#refuse('holds a control character in a string')
      } else if (this.#place === 'escape') this.#escaped(byte)
      else if (this.#place === 'word' && isPartOfWord(byte)) this.#take(byte)
      else {
        if (this.#place === 'word') this.#endWord()
        if (byte === LF) this.#line++
        if (!isBlank(byte)) this.#structure(byte)
      }
    }
  }

  #structure(byte: number): void {
    switch (this.#place) {
      case 'record':
        if (byte === OPEN_ARRAY && this.#records === 0n) {
          this.#inArray = true
          this.#open.push(byte)
          this.#place = 'value or end'
        } else this.#begin(byte)
        return
      case 'value':
        this.#begin(byte)
        return
      case 'value or end':
        if (byte === CLOSE_ARRAY) this.#close(byte)
        else this.#begin(byte)
        return
      case 'key':
      case 'key or end':
        if (byte === QUOTE) {
          this.#isKey = true
          this.#place = 'string'
        } else if (byte === CLOSE_OBJECT && this.#place === 'key or end') this.#close(byte)
        else this.#refuse('has something else where a key must begin, such as a comma too many')
        return
      case 'colon':
        if (byte !== COLON) this.#refuse('has no colon behind a key')
        this.#place = 'value'
        return
      case 'behind value':
        if (byte === COMMA) this.#place = this.#open.at(-1) === OPEN_OBJECT ? 'key' : 'value'
        else this.#close(byte)
        return
      default:
        this.#refuse('goes on behind the end of its array')
    }
  }

  #begin(byte: number): void {
    if (this.#open.length === (this.#inArray ? 1 : 0)) this.#records++
    if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
      if (this.#open.push(byte) > DEEPEST) this.#refuse(`has more than ${DEEPEST} brackets open at once`)
      this.#place = byte === OPEN_OBJECT ? 'key or end' : 'value or end'
    } else if (byte === QUOTE) {
      this.#isKey = false
      this.#place = 'string'
    } else if (isPartOfWord(byte)) {
      this.#place = 'word'
      this.#word = String.fromCharCode(byte)
    } else this.#refuse('has something else where a value must begin, such as a comma too many')
  }

  #close(byte: number): void {
    const opened = this.#open.at(-1)
    if (opened === undefined || byte !== (opened === OPEN_OBJECT ? CLOSE_OBJECT : CLOSE_ARRAY)) {
      this.#refuse('has neither a comma nor the bracket that closes behind a value')
    }
    this.#open.pop()
    this.#place = this.#behind()
  }

  #behind(): Place {
    if (this.#open.length > 0) return 'behind value'
    return this.#inArray ? 'end of file' : 'record'
  }

  #escaped(byte: number): void {
    if (this.#hex > 0) {
      if (!/[0-9a-fA-F]/.test(String.fromCharCode(byte))) this.#refuse('holds an escape that JSON does not have')
      if (--this.#hex === 0) this.#place = 'string'
    } else if (byte === 117) this.#hex = 4
    else {
      if (!'"\\/bfnrt'.includes(String.fromCharCode(byte))) this.#refuse('holds an escape that JSON does not have')
      this.#place = 'string'
    }
  }

  #take(byte: number): void {
    if (this.#word.length === LONGEST_WORD) this.#refuse('holds a number that no column takes')
    this.#word += String.fromCharCode(byte)
  }

  #endWord(): void {
    if (!NUMBER.test(this.#word) && !WORDS.includes(this.#word)) {
      this.#refuse('holds a word that is no JSON value, such as NaN, or a number that is not written as JSON writes one')
    }
    this.#place = this.#behind()
  }

  #refuse(what: string): never {
    throw new WaybillError(
      'NOT_REPRESENTABLE',
      `A JSON file is not read: it ${what}, in line ${this.#line}. Write it whole, as RFC 8259 says; nothing of it is guessed.`,
    )
  }
}

/** Letters, digits, and the signs and the point of numbers. */
function isPartOfWord(byte: number): boolean {
  return (
    (byte >= 48 && byte <= 57) || (byte >= 97 && byte <= 122) || (byte >= 65 && byte <= 90) || byte === 43 || byte === 45 || byte === 46
  )
}
