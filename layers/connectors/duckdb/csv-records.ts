import { WaybillError } from '../../core/errors.ts'
import { textParts } from './text-parts.ts'

const LF = 10
const CR = 13
const QUOTE = 34
const COMMA = 44

/** `records`: without the header. `folded`: a quoted field holds a line end. */
export type CsvRecords = { records: bigint; folded: boolean }

/** Where the scan is: at the beginning of a field, inside one, behind the quote that may have ended it, or behind a CR. */
type Place = 'begin' | 'plain' | 'quoted' | 'quote' | 'cr'

/**
 * Reads a CSV file from end to end by RFC 4180 and counts the records behind its header. What DuckDB would read in another way than PostgreSQL's COPY,
 * or not at all, is refused with its line: blanks around quotes (it drops them), fields too many that are empty and blank lines (it skips
 * both), a quote inside a plain field, line ends of two kinds. In a file of one column a blank line is a NULL, as COPY writes it.
 * @throws NOT_REPRESENTABLE
 */
export async function csvRecords(path: string, columns: number): Promise<CsvRecords> {
  const scan = new RecordScan(columns)
  for await (const part of textParts(path)) scan.read(part)
  return scan.end()
}

class RecordScan {
  readonly #columns: number
  #place: Place = 'begin'
  #fields = 0
  #records = 0n
  #line = 1
  #first = 1
  #blank = true
  #folded = false
  #crlf: boolean | null = null

  constructor(columns: number) {
    this.#columns = columns
  }

  end(): CsvRecords {
    if (this.#place === 'quoted') this.#refuse('a quote that does not end')
    if (this.#place === 'cr') this.#refuse('a carriage return without a line feed')
    if (this.#place !== 'begin' || this.#fields > 0) this.#endRecord()
    return { records: this.#records === 0n ? 0n : this.#records - 1n, folded: this.#folded }
  }

  read(part: Buffer): void {
    let place = this.#place
    const length = part.length
    for (let at = 0; at < length; at++) {
      let byte = part[at]!
      switch (place) {
        case 'quoted':
          while (byte !== QUOTE) {
            if (byte === CR) this.#folded = true
            else if (byte === LF) {
              this.#folded = true
              this.#line++
            }
            if (++at === length) break
            byte = part[at]!
          }
          if (at < length) place = 'quote'
          break
        case 'cr':
          if (byte !== LF) this.#refuse('a carriage return without a line feed')
          this.#endLine(true)
          place = 'begin'
          break
        default:
          if (place === 'plain') {
            while (byte !== COMMA && byte !== LF && byte !== CR && byte !== QUOTE && ++at < length) byte = part[at]!
            if (at === length) break
          }
          if (byte === COMMA) {
            this.#fields++
            this.#blank = false
            place = 'begin'
          } else if (byte === LF) {
            this.#endLine(false)
            place = 'begin'
          } else if (byte === CR) place = 'cr'
          else if (byte === QUOTE) {
            if (place === 'plain') this.#refuse('a quote inside a field that does not begin with one, blanks before it included')
            this.#blank = false
            place = 'quoted'
          } else if (place === 'quote') this.#refuse('something between the end of a quoted field and the next comma, be it a blank')
          else {
            this.#blank = false
            place = 'plain'
          }
      }
    }
    this.#place = place
  }

  #endLine(crlf: boolean): void {
    this.#crlf ??= crlf
    if (this.#crlf !== crlf) this.#refuse('a line end of another kind than the first line')
    this.#endRecord()
    this.#first = ++this.#line
  }

  #endRecord(): void {
    const fields = this.#fields + 1
    if (fields !== this.#columns) {
      this.#refuse(this.#blank ? 'nothing in it' : `${fields} ${fields === 1 ? 'field' : 'fields'} where the header has ${this.#columns}`)
    }
    this.#records++
    this.#fields = 0
    this.#blank = true
  }

  #refuse(what: string): never {
    throw new WaybillError(
      'NOT_REPRESENTABLE',
      `A CSV file is not read: the record that begins in line ${this.#first} has ${what}. Write it as RFC 4180 says; nothing of it is guessed.`,
    )
  }
}
