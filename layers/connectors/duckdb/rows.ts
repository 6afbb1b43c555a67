import { relative } from 'node:path'
import { canonicalType } from '../../core/encoding/canonical-type.ts'
import type { RowSide } from '../../core/encoding/row-stream.ts'
import { WaybillError } from '../../core/errors.ts'
import { fileExpression, fileFilter } from './expression.ts'
import { fieldEncoder } from './field-encoder.ts'
import { digestOfFile, sourceFolder } from './files.ts'
import { frameOfLine, lineSql } from './frame-lines.ts'
import { FrameWriter } from './frame-writer.ts'
import { type FileFormat, openRelation, pieces, type Relation } from './relation.ts'
import { openDuckDb } from './session.ts'

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
        fieldEncoder(column.target, fileExpression(column, relation), canonicalType(column.target_type)),
      )
      const line = lineSql(columns)
      const where = mapping.filter ? fileFilter(mapping.filter, relation) : null
      const before = seen.get(mapping.source.name) ?? (await identity(root, relation))
      let rows = 0n
      async function* chunks(): AsyncGenerator<Uint8Array> {
        const writer = new FrameWriter()
        for (const piece of pieces(relation, 0n, null, ROWS_PER_PIECE)) {
          const conditions = [piece.where, where].filter((term) => term !== null).join(' AND ')
          const sql = `SELECT encode(${line}) FROM ${piece.from}${conditions === '' ? '' : ` WHERE ${conditions}`}`
          for await (const vectors of duck.vectors(sql)) {
            if (signal.aborted) throw new WaybillError('INTERRUPTED', 'Reading the file was interrupted.')
            for (const value of vectors.column(0)) {
              const { bytes } = value as { bytes: Uint8Array }
              frameOfLine(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), columns, writer)
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
