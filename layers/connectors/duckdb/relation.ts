import { WaybillError } from '../../core/errors.ts'
import { resolveFiles, type SourceFile } from './files.ts'
import { type DuckSession, literal } from './session.ts'
import { type FileType, fileType } from './types.ts'

export type FileFormat = 'PARQUET' | 'CSV'

export type FileColumn = { name: string; type: FileType }

/** One logical table over one or more files of the same columns. */
export type Relation = {
  format: FileFormat
  files: readonly SourceFile[]
  columns: readonly FileColumn[]
  /** Rows of each Parquet file, from its footer, which its reader trusts too; null for CSV, where only reading tells. */
  fileRows: readonly bigint[] | null
}

/**
 * Opens a name or glob. All files must have the same columns of the same types in the same order: a union by name would invent NULLs.
 * @throws NOT_FOUND, BAD_INPUT, NOT_REPRESENTABLE, PLAN_INVALID
 */
export async function openRelation(duck: DuckSession, root: string, format: FileFormat, pattern: string): Promise<Relation> {
  const files = await resolveFiles(root, pattern)
  let columns: FileColumn[] | null = null
  const fileRows: bigint[] = []
  for (const file of files) {
    const described = await duck.ask(`DESCRIBE SELECT * FROM ${reader(format, [file.path])}`)
    const own = described.map((row) => ({ name: row.column_name ?? '', type: fileType(row.column_type ?? '') }))
    const shape = (list: FileColumn[]) => JSON.stringify(list.map((column) => [column.name, column.type.duck]))
    if (columns !== null && shape(own) !== shape(columns)) {
      throw new WaybillError(
        'PLAN_INVALID',
        `The files of "${pattern.slice(0, 200)}" do not all have the same columns. Migrate each shape as a table of its own.`,
      )
    }
    columns = own
    if (format === 'PARQUET') {
      const [footer] = await duck.ask(`SELECT num_rows::VARCHAR AS n FROM parquet_file_metadata(${literal(file.path)})`)
      fileRows.push(BigInt(footer?.n ?? '0'))
    }
  }
  return { format, files, columns: columns ?? [], fileRows: format === 'PARQUET' ? fileRows : null }
}

/**
 * The table function over paths that were resolved already. A CSV has no types, so every field is text; an empty field is NULL and a quoted
 * empty field is ''. The first line is the header, always: a guess could take a row for a header.
 */
export function reader(format: FileFormat, paths: readonly string[], rowNumber = false): string {
  const list = `[${paths.map(literal).join(', ')}]`
  if (format === 'PARQUET') return `read_parquet(${list}${rowNumber ? ', file_row_number = true' : ''}, hive_partitioning = false)`
  return `read_csv(${list}, all_varchar = true, header = true, nullstr = '', allow_quoted_nulls = false, hive_partitioning = false, sample_size = -1)`
}

/** A piece of the relation: one Parquet file's rows `from` ≤ n < `to`, or all rows of the files where both are null. */
export type Piece = { from: string; where: string | null }

/** Pieces of at most `rowsPerPiece` rows that cover the rows `from` ≤ n < `to` of the files put one after another. */
export function pieces(relation: Relation, from: bigint, to: bigint | null, rowsPerPiece: bigint): Piece[] {
  const { fileRows, files, format } = relation
  if (fileRows === null) {
    if (from !== 0n || to !== null) throw new WaybillError('BAD_INPUT', 'A CSV source is read whole: its only range is from 0 to the end.')
    return [
      {
        from: reader(
          format,
          files.map((file) => file.path),
        ),
        where: null,
      },
    ]
  }
  const result: Piece[] = []
  let start = 0n
  for (const [index, rows] of fileRows.entries()) {
    const first = from > start ? from - start : 0n
    const last = to === null || to > start + rows ? rows : to - start
    for (let at = first; at < last; at += rowsPerPiece) {
      const end = last - at > rowsPerPiece ? at + rowsPerPiece : last
      const source = reader(format, [files[index]?.path ?? ''], true)
      result.push({ from: source, where: `file_row_number >= ${at} AND file_row_number < ${end}` })
    }
    start += rows
  }
  return result
}

export function column(relation: Relation, wanted: string): FileColumn {
  const found = relation.columns.find((candidate) => candidate.name === wanted)
  if (found) return found
  throw new WaybillError('PLAN_INVALID', `The file has no column ${JSON.stringify(wanted.slice(0, 80))}. Discover the source again.`)
}
