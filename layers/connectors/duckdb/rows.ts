import { relative } from 'node:path'
import { canonicalType } from '../../core/encoding/canonical-type.ts'
import type { NativeForm, RowSide } from '../../core/encoding/row-stream.ts'
import { WaybillError } from '../../core/errors.ts'
import type { TableMapping } from '../../core/schemas/proposal.ts'
import { type Expression, fileExpression, fileFilter } from './expression.ts'
import { fieldEncoder } from './field-encoder.ts'
import { digestOfFile, resolveFiles, type SourceFile, sourceFolder } from './files.ts'
import { frameOfLine, lineSql } from './frame-lines.ts'
import { FrameWriter } from './frame-writer.ts'
import { nativeField, nativeType, widthOf } from './native-form.ts'
import { nativeFramer } from './native-frames.ts'
import { type FileFormat, openRelation, pieces, type Relation, wholeOf } from './relation.ts'
import { type DuckSession, openDuckDb } from './session.ts'

/** Frames are gathered to about this many bytes before they are handed over. */
const CHUNK_BYTES = 256 * 1024
/** Frames of one chunk of DuckDB are handed over in pieces of about this many bytes. */
const PIECE_BYTES = 1024 * 1024
const ROWS_PER_PIECE = 1_048_576n

/** Files as the rows of one side of a comparison, in native or canonical encoding of the target's types. @throws NOT_FOUND, NOT_REPRESENTABLE */
export async function openFileRows(format: FileFormat, url: string): Promise<RowSide> {
  const root = await sourceFolder(url)
  const duck = await openDuckDb(root)
  /** What the files were when the comparison began, by name or glob. */
  const seen = new Map<string, string>()
  return {
    async snapshot(mapping) {
      const words = await identity(root, await resolveFiles(root, mapping.source.name))
      seen.set(mapping.source.name, words)
      return words
    },
    async forms(mapping) {
      const relation = await openRelation(duck, root, format, mapping.source.name)
      const types = await resultTypes(duck, relation, expressions(mapping, relation))
      return mapping.columns.map((column, i) => nativeType(types[i]!, column.target_type))
    },
    async read(mapping, signal, forms) {
      const relation = await openRelation(duck, root, format, mapping.source.name)
      const values = expressions(mapping, relation)
      const where = mapping.filter ? fileFilter(mapping.filter, relation) : null
      const frames = forms === undefined ? canonicalRows(duck, mapping, values) : await nativeRows(duck, mapping, relation, values, forms)
      const before = seen.get(mapping.source.name) ?? (await identity(root, relation.files))
      let rows = 0n
      async function* chunks(): AsyncGenerator<Uint8Array> {
        for (const piece of pieces(relation, 0n, null, ROWS_PER_PIECE)) {
          const conditions = [piece.where, where].filter((term) => term !== null).join(' AND ')
          for await (const gathered of frames(`FROM ${piece.from}${conditions === '' ? '' : ` WHERE ${conditions}`}`)) {
            if (signal.aborted) throw new WaybillError('INTERRUPTED', 'Reading the file was interrupted.')
            rows += BigInt(gathered.rows)
            yield* gathered.frames
          }
        }
        // What DuckDB gave must be what our own scan counted.
        if (where === null && relation.records !== null && relation.records !== rows) {
          throw new WaybillError(
            'STREAM_TRUNCATED',
            `${mapping.source.name} has ${relation.records} rows, and ${rows} were read. Compare again when nobody writes to it.`,
          )
        }
        // Only files that are after reading what they were before were read as one state.
        if (before !== (await identity(root, await resolveFiles(root, mapping.source.name)))) {
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

function expressions(mapping: TableMapping, relation: Relation): Expression[] {
  return mapping.columns.map((column) => fileExpression(column, relation))
}

/** Rows that were read, and the frames that became ready with them. */
type Gathered = { rows: number; frames: Iterable<Uint8Array> }
type Rows = (from: string) => AsyncIterable<Gathered>

function canonicalRows(duck: DuckSession, mapping: TableMapping, values: readonly Expression[]): Rows {
  const columns = mapping.columns.map((column, i) => fieldEncoder(column.target, values[i]!, canonicalType(column.target_type)))
  const line = lineSql(columns)
  return async function* (from) {
    const writer = new FrameWriter()
    for await (const vectors of duck.vectors(`SELECT encode(${line}) ${from}`)) {
      for (const value of vectors.column(0)) {
        const { bytes } = value as { bytes: Uint8Array }
        frameOfLine(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), columns, writer)
      }
      yield { rows: vectors.rows, frames: writer.size >= CHUNK_BYTES ? [writer.take()] : [] }
    }
    if (writer.size > 0) yield { rows: 0, frames: [writer.take()] }
  }
}

async function nativeRows(
  duck: DuckSession,
  mapping: TableMapping,
  relation: Relation,
  values: readonly Expression[],
  forms: readonly NativeForm[],
): Promise<Rows> {
  const types = await resultTypes(duck, relation, values)
  const fields = mapping.columns.map((column, i) => nativeField(column.target, values[i]!.sql, types[i]!, forms[i]!))
  const columns = fields.map(({ type }) => ({ type, width: widthOf(type) }))
  const framer = nativeFramer(fields, PIECE_BYTES)
  return async function* (from) {
    for await (const memories of duck.memories(`SELECT ${fields.map(({ sql }) => sql).join(', ')} ${from}`, columns)) {
      yield { rows: memories[0]!.rows, frames: framer(memories) }
    }
  }
}

/** The types that DuckDB gives the expressions; nothing is read but what says which columns there are. */
async function resultTypes(duck: DuckSession, relation: Relation, values: readonly Expression[]): Promise<string[]> {
  const list = values.map(({ sql }, i) => `${sql} AS c${i}`).join(', ')
  const described = await duck.ask(`DESCRIBE SELECT ${list} FROM ${wholeOf(relation)}`)
  return described.map((row) => row.column_type ?? '')
}

/** Paths, sizes and digests of all files of a relation. */
async function identity(root: string, files: readonly SourceFile[]): Promise<string> {
  const parts: string[] = []
  for (const { path } of files) {
    const { bytes, sha256 } = await digestOfFile(path)
    parts.push(`${relative(root, path)} ${bytes} bytes sha256:${sha256}`)
  }
  return parts.join('; ')
}
