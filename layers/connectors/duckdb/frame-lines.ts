import { WaybillError } from '../../core/errors.ts'
import type { FieldEncoder } from './field-encoder.ts'
import type { FrameWriter } from './frame-writer.ts'

const TAB = 9
const END = 10
const BACKSLASH = 92
const NULL_LETTER = 78
const PLAIN: Readonly<Record<string, string>> = { t: '\t', n: '\n' }

/** One row as one line: `\N` for NULL, tabs between fields, and backslash, tab and line ends escaped. One value to hand over instead of many. */
export function lineSql(columns: readonly FieldEncoder[]): string {
  const fields = columns.map(({ sql, escaped }) => {
    const text = escaped ? `replace(replace(replace(${sql}, '\\', '\\\\'), chr(9), '\\t'), chr(10), '\\n')` : sql
    return `coalesce(${text}, '\\N')`
  })
  return `${fields.join(' || chr(9) || ')} || chr(10)`
}

/** Writes one line as a row frame. @throws STREAM_TRUNCATED for a line of another number of fields, NOT_REPRESENTABLE */
export function frameOfLine(line: Buffer, columns: readonly FieldEncoder[], writer: FrameWriter): void {
  const last = columns.length - 1
  let at = 0
  writer.begin(columns.length)
  for (const [index, column] of columns.entries()) {
    const from = at
    let escapes = false
    for (; at < line.length; at++) {
      const byte = line[at]
      if (byte === TAB || byte === END) break
      if (byte === BACKSLASH) escapes = true
    }
    if (line[at] !== (index === last ? END : TAB)) throw torn()
    if (escapes && at - from === 2 && line[from + 1] === NULL_LETTER) writer.empty()
    else if (escapes && column.escaped) {
      const text = line.toString('utf8', from, at).replace(/\\([\\tn])/g, (_, letter: string) => PLAIN[letter] ?? letter)
      if (column.plain === true) writer.text(text)
      else writer.bytes(column.bytes(text))
    } else if (column.plain === true || column.plain === at - from) writer.part(line, from, at)
    else writer.bytes(column.bytes(column.escaped ? line.toString('utf8', from, at) : line.toString('latin1', from, at)))
    at++
  }
  if (at !== line.length) throw torn()
  writer.end()
}

function torn(): WaybillError {
  return new WaybillError('STREAM_TRUNCATED', 'A row of the file did not arrive whole. Run the comparison again.')
}
