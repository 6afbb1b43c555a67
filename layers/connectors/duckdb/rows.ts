import { relative } from 'node:path'
import { type CanonicalType, canonicalType } from '../../core/encoding/canonical-type.ts'
import { canonicalValue } from '../../core/encoding/canonical-value.ts'
import type { RowSide } from '../../core/encoding/row-stream.ts'
import { WaybillError } from '../../core/errors.ts'
import { type Expression, fileExpression, fileFilter, instantText, momentText } from './expression.ts'
import { digestOfFile, sourceFolder } from './files.ts'
import { FrameWriter } from './frame-writer.ts'
import { type FileFormat, openRelation, pieces, type Relation } from './relation.ts'
import { literal, openDuckDb } from './session.ts'
import { ofColumn, textValue } from './text-value.ts'

/** Frames are gathered to about this many bytes before they are handed over. */
const CHUNK_BYTES = 256 * 1024
const ROWS_PER_PIECE = 1_048_576n

/** Files as the rows of one side of a comparison, in canonical encoding of the target's types. @throws NOT_FOUND, NOT_REPRESENTABLE */
export async function openFileRows(format: FileFormat, url: string): Promise<RowSide> {
  const root = await sourceFolder(url)
  const duck = await openDuckDb(root)
  /** What the files were when the comparison began, by name or glob. */
  const seen = new Map<string, string>()
  return {
    async snapshot(mapping) {
      const words = await identity(root, await openRelation(duck, root, format, mapping.source.name))
      seen.set(mapping.source.name, words)
      return words
    },
    async read(mapping, signal) {
      const relation = await openRelation(duck, root, format, mapping.source.name)
      const columns = mapping.columns.map((column) =>
        encoderOf(column.target, fileExpression(column, relation), canonicalType(column.target_type)),
      )
      const where = mapping.filter ? fileFilter(mapping.filter, relation) : null
      const before = seen.get(mapping.source.name) ?? (await identity(root, relation))
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
        // Only files that are after reading what they were before were read as one state.
        if (before !== (await identity(root, await openRelation(duck, root, format, mapping.source.name)))) {
          throw new WaybillError(
            'CONFLICT',
            `The files of ${mapping.source.name} changed while they were read. Compare again when nobody writes to them.`,
          )
        }
      }
      return { chunks: chunks(), rows: () => rows }
    },
    close: () => duck.close(),
  }
}

/** Paths, sizes and digests of all files of a relation. */
async function identity(root: string, { files }: Relation): Promise<string> {
  const parts: string[] = []
  for (const { path } of files) {
    const { bytes, sha256 } = await digestOfFile(path)
    parts.push(`${relative(root, path)} ${bytes} bytes sha256:${sha256}`)
  }
  return parts.join('; ')
}

type Encoder = { sql: string; write(writer: FrameWriter, value: unknown): void }

/**
 * What DuckDB prints of its own whole numbers, dates and text is canonical already and is written as it stands; text of a file is read by
 * `textValue`, and everything else goes through `canonicalValue`, the definition.
 */
function encoderOf(column: string, expression: Expression, type: CanonicalType): Encoder {
  const { family, sql } = expression
  const filled = (write: (writer: FrameWriter, value: unknown) => void) => (writer: FrameWriter, value: unknown) => {
    if (value === null || value === undefined) return writer.empty()
    try {
      write(writer, value)
    } catch (error) {
      throw ofColumn(column, error)
    }
  }
  const defined = filled((writer, value) => writer.bytes(canonicalValue(type, String(value))))
  if (type.kind === 'text' && !type.padded) {
    return { sql: printed(expression, type), write: filled((writer, value) => writer.text(value as string)) }
  }
  if (family === 'text') {
    const read = filled((writer, value) => writer.bytes(textValue(type, value as string)))
    return type.kind === 'float' ? { sql: floatOfText(column, sql, type.bits), write: defined } : { sql, write: read }
  }
  if (type.kind === 'bytes' && family === 'bytes') {
    return { sql, write: filled((writer, value) => writer.bytes((value as { bytes: Uint8Array }).bytes)) }
  }
  if (type.kind === 'interval') return { sql, write: filled((writer, value) => writer.text(interval(value as Interval))) }
  if (type.kind === 'float') return { sql: floatText(family === 'float' ? sql : `CAST(${sql} AS DOUBLE)`), write: defined }
  const text = printed(expression, type)
  if (type.kind === 'integer' && family === 'integer') return { sql: text, write: filled((writer, value) => writer.text(value as string)) }
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

/** Text to a float, rounded once as PostgreSQL rounds it; a number beyond the type is refused as it is there, not made infinite or zero. */
function floatOfText(column: string, sql: string, bits: 32 | 64): string {
  const type = bits === 32 ? 'FLOAT' : 'DOUBLE'
  const value = `CAST(${sql} AS ${type})`
  const beyond = `(isinf(${value}) AND NOT regexp_matches(${sql}, '(?i)inf')) OR (${value} = 0 AND regexp_matches(${sql}, '^[^eE]*[1-9]'))`
  const refusal = literal(
    `waybill: Column ${JSON.stringify(column)} holds a number too large or too small for ${type === 'FLOAT' ? 'real' : 'double precision'}.`,
  )
  return `CASE WHEN ${beyond} THEN error(${refusal}) ELSE ${floatText(value)} END`
}

/** DuckDB prints `nan` and `inf` where the encoding reads `NaN` and `Infinity`. */
function floatText(value: string): string {
  const endless = `CASE WHEN ${value} > 0 THEN 'Infinity' ELSE '-Infinity' END`
  return `CASE WHEN isnan(${value}) THEN 'NaN' WHEN isinf(${value}) THEN ${endless} ELSE CAST(${value} AS VARCHAR) END`
}

function printed({ sql }: Expression, type: CanonicalType): string {
  if (type.kind === 'date') return momentText(sql)
  if (type.kind === 'timestamp') return type.zoned ? instantText(sql) : momentText(sql)
  return `CAST(${sql} AS VARCHAR)`
}

type Interval = { months: number; days: number; micros: bigint }

/** Months, days, microseconds: the three numbers DuckDB and PostgreSQL both keep. */
function interval({ months, days, micros }: Interval): string {
  return `${months}:${days}:${micros}`
}
