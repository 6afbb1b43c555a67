import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { basename } from 'node:path'
import { type CanonicalType, canonicalType } from '../../core/encoding/canonical-type.ts'
import { canonicalValue } from '../../core/encoding/canonical-value.ts'
import type { RowSide } from '../../core/encoding/row-stream.ts'
import { WaybillError } from '../../core/errors.ts'
import { type Expression, fileExpression, fileFilter, instantText, momentText } from './expression.ts'
import { sourceFolder } from './files.ts'
import { FrameWriter } from './frame-writer.ts'
import { type FileFormat, openRelation, pieces } from './relation.ts'
import { openDuckDb } from './session.ts'

/** Frames are gathered to about this many bytes before they are handed over. */
const CHUNK_BYTES = 256 * 1024
const ROWS_PER_PIECE = 1_048_576n

/** Files as the rows of one side of a comparison, in canonical encoding of the target's types. @throws NOT_FOUND, NOT_REPRESENTABLE */
export async function openFileRows(format: FileFormat, url: string): Promise<RowSide> {
  const root = await sourceFolder(url)
  const duck = await openDuckDb(root)
  return {
    async snapshot(mapping) {
      const { files } = await openRelation(duck, root, format, mapping.source.name)
      const parts: string[] = []
      for (const file of files) parts.push(`${basename(file.path)} ${file.bytes} bytes sha256:${await fileDigest(file.path)}`)
      return parts.join('; ')
    },
    async read(mapping, signal) {
      const relation = await openRelation(duck, root, format, mapping.source.name)
      const columns = mapping.columns.map((column) => encoderOf(fileExpression(column, relation), canonicalType(column.target_type)))
      const where = mapping.filter ? fileFilter(mapping.filter, relation) : null
      let rows = 0n
      async function* chunks(): AsyncGenerator<Uint8Array> {
        const writer = new FrameWriter()
        for (const piece of pieces(relation, 0n, null, ROWS_PER_PIECE)) {
          const conditions = [piece.where, where].filter((term) => term !== null).join(' AND ')
          const sql = `SELECT ${columns.map((column) => column.sql).join(', ')} FROM ${piece.from}${conditions === '' ? '' : ` WHERE ${conditions}`}`
          for await (const vectors of duck.vectors(sql)) {
            if (signal.aborted) throw new WaybillError('INTERRUPTED', 'Reading the file was interrupted.')
            const values = columns.map((_, index) => vectors.column(index))
            for (let row = 0; row < vectors.rows; row++) {
              writer.begin(columns.length)
              for (let index = 0; index < columns.length; index++) columns[index]?.write(writer, values[index]?.[row])
              writer.end()
            }
            rows += BigInt(vectors.rows)
            if (writer.size >= CHUNK_BYTES) yield writer.take()
          }
        }
        if (writer.size > 0) yield writer.take()
      }
      return { chunks: chunks(), rows: () => rows }
    },
    close: () => duck.close(),
  }
}

type Encoder = { sql: string; write(writer: FrameWriter, value: unknown): void }

/**
 * What DuckDB prints of its own whole numbers, dates and text is canonical already and is written as it stands; everything else goes through
 * `canonicalValue`, the definition.
 */
function encoderOf(expression: Expression, type: CanonicalType): Encoder {
  const { family, sql } = expression
  const filled = (write: (writer: FrameWriter, value: unknown) => void) => (writer: FrameWriter, value: unknown) =>
    value === null || value === undefined ? writer.empty() : write(writer, value)
  const defined = filled((writer, value) => writer.bytes(canonicalValue(type, String(value))))
  if (type.kind === 'bytes' && family === 'bytes') {
    return { sql, write: filled((writer, value) => writer.bytes((value as { bytes: Uint8Array }).bytes)) }
  }
  if (type.kind === 'interval') {
    const typed = family === 'text' ? `CAST(${sql} AS INTERVAL)` : sql
    return { sql: typed, write: filled((writer, value) => writer.text(interval(value as Interval))) }
  }
  if (type.kind === 'float') return { sql: floatText(family === 'float' ? sql : `CAST(${sql} AS DOUBLE)`), write: defined }
  const text = printed(expression, type)
  if ((type.kind === 'text' && !type.padded) || (type.kind === 'integer' && family === 'integer')) {
    return { sql: text, write: filled((writer, value) => writer.text(value as string)) }
  }
  if (type.kind === 'timestamp' || type.kind === 'date') {
    const simple = /^[0-9]{4}-[0-9]{2}-[0-9]{2}( [0-9]{2}:[0-9]{2}:[0-9]{2}(\+00)?)?$/
    const whole = type.kind === 'date' ? 10 : type.zoned ? 22 : 19
    return {
      sql: text,
      write: filled((writer, value) => {
        const shown = value as string
        if (shown.length === whole && simple.test(shown)) writer.text(shown)
        else writer.bytes(canonicalValue(type, shown))
      }),
    }
  }
  return { sql: text, write: defined }
}

/** DuckDB prints `nan` and `inf` where the encoding reads `NaN` and `Infinity`. */
function floatText(value: string): string {
  const endless = `CASE WHEN ${value} > 0 THEN 'Infinity' ELSE '-Infinity' END`
  return `CASE WHEN isnan(${value}) THEN 'NaN' WHEN isinf(${value}) THEN ${endless} ELSE CAST(${value} AS VARCHAR) END`
}

function printed({ sql, family }: Expression, type: CanonicalType): string {
  switch (type.kind) {
    case 'date':
      return momentText(family === 'text' ? `CAST(${sql} AS DATE)` : sql)
    case 'time':
      return `CAST(${family === 'text' ? `CAST(${sql} AS TIME)` : sql} AS VARCHAR)`
    case 'timestamp': {
      if (!type.zoned) return momentText(family === 'text' ? `CAST(${sql} AS TIMESTAMP)` : sql)
      return instantText(family === 'text' ? `CAST(${sql} AS TIMESTAMP WITH TIME ZONE)` : sql)
    }
    case 'boolean':
      return `CAST(${family === 'text' ? `CAST(${sql} AS BOOLEAN)` : sql} AS VARCHAR)`
    default:
      return `CAST(${sql} AS VARCHAR)`
  }
}

type Interval = { months: number; days: number; micros: bigint }

/** Months, days, microseconds: the three numbers DuckDB and PostgreSQL both keep. */
function interval({ months, days, micros }: Interval): string {
  return `${months}:${days}:${micros}`
}

async function fileDigest(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const bytes of createReadStream(path)) hash.update(bytes as Buffer)
  return hash.digest('hex')
}
