import { WaybillError } from '../../core/errors.ts'
import { csvHeader } from './csv-header.ts'
import { csvRecords } from './csv-records.ts'
import { resolveFiles, type SourceFile } from './files.ts'
import { jsonKeysSql, jsonReader } from './json-reader.ts'
import { jsonRecords } from './json-records.ts'
import { parquetColumns } from './parquet-columns.ts'
import { shown } from './partitions.ts'
import { type DuckSession, literal, name } from './session.ts'
import { type FileType, fileType } from './types.ts'

export type FileFormat = 'PARQUET' | 'CSV' | 'JSON'

/** What the names of its files end in, below a folder. */
export const EXTENSIONS: Readonly<Record<FileFormat, readonly string[]>> = {
  PARQUET: ['parquet'],
  CSV: ['csv'],
  JSON: ['json', 'ndjson', 'jsonl'],
}

/** `partition`: the folder says it, not the file. */
export type FileColumn = { name: string; type: FileType; partition: boolean }

/** One logical table over one or more files of the same columns. */
export type Relation = {
  format: FileFormat
  files: readonly SourceFile[]
  columns: readonly FileColumn[]
  /** Rows of each Parquet file, from its footer, which its reader trusts too; null for text, where only reading tells. */
  fileRows: readonly bigint[] | null
  /** Rows of all files together as our own scan of their text counts them; null for Parquet. */
  records: bigint | null
  /** A CSV field holds a line end; several threads would not find where records begin. */
  folded: boolean
}

const TEXT = fileType('VARCHAR')

/**
 * Opens a name or glob. All files must have the same columns of the same types in the same order, and the same partition columns: a union by
 * name would invent NULLs. Only keys of JSON may come in any order and be absent. Folders `name=value` are columns of text.
 * @throws NOT_FOUND, BAD_INPUT, NOT_REPRESENTABLE, PLAN_INVALID
 */
export async function openRelation(duck: DuckSession, root: string, format: FileFormat, pattern: string): Promise<Relation> {
  const files = await resolveFiles(root, pattern)
  const fileRows: bigint[] = []
  let records = 0n
  let folded = false
  let columns: FileColumn[] | null = null
  for (const file of files) {
    if (format === 'JSON') records += await jsonRecords(file.path)
    const own = [
      ...(await ownColumns(duck, format, file.path)),
      ...file.partitions.map((one) => ({ name: one.name, type: TEXT, partition: true })),
    ]
    if (columns !== null && format === 'JSON') columns = joined(columns, own)
    if (columns !== null && shape(format, own) !== shape(format, columns)) {
      throw new WaybillError(
        'PLAN_INVALID',
        `The files of "${pattern.slice(0, 200)}" do not all have the same columns. Migrate each shape as a table of its own.`,
      )
    }
    columns ??= own
    if (format === 'CSV') {
      const scan = await csvRecords(file.path, own.length - file.partitions.length)
      records += scan.records
      folded ||= scan.folded
    }
    if (format === 'PARQUET') {
      const [footer] = await duck.ask(`SELECT num_rows::VARCHAR AS n FROM parquet_file_metadata(${literal(file.path)})`)
      fileRows.push(BigInt(footer?.n ?? '0'))
    }
  }
  return {
    format,
    files,
    columns: distinct(columns ?? [], pattern),
    fileRows: format === 'PARQUET' ? fileRows : null,
    records: format === 'PARQUET' ? null : records,
    folded,
  }
}

async function ownColumns(duck: DuckSession, format: FileFormat, path: string): Promise<FileColumn[]> {
  if (format === 'PARQUET') return parquetColumns(duck, path)
  const names = format === 'CSV' ? await csvHeader(path) : (await duck.ask(jsonKeysSql(path))).map((row) => row.key ?? '')
  return names.map((own) => ({ name: own, type: TEXT, partition: false }))
}

function shape(format: FileFormat, columns: readonly FileColumn[]): string {
  return JSON.stringify(columns.filter((own) => own.partition || format !== 'JSON').map((own) => [own.name, own.type.duck, own.partition]))
}

/** Keys of either, the known ones first; the partition columns stay last. */
function joined(known: readonly FileColumn[], more: readonly FileColumn[]): FileColumn[] {
  const fresh = more.filter((own) => !own.partition && !known.some((column) => column.name === own.name && !column.partition))
  return [...known.filter((own) => !own.partition), ...fresh, ...known.filter((own) => own.partition)]
}

/** DuckDB takes `a` and `A` for one name and would silently rename one of them. */
function distinct(columns: readonly FileColumn[], pattern: string): readonly FileColumn[] {
  if (columns.length === 0) {
    throw new WaybillError('NOT_REPRESENTABLE', `"${pattern.slice(0, 200)}" names no columns: there is no object in it.`)
  }
  const seen = new Map<string, FileColumn>()
  for (const own of columns) {
    const other = seen.get(own.name.toLowerCase())
    if (other !== undefined) {
      const what = own.partition !== other.partition ? 'in its rows and in the name of a folder' : 'more than once, or with other capitals'
      throw new WaybillError(
        'NOT_REPRESENTABLE',
        `"${pattern.slice(0, 200)}" has the column ${shown(own.name)} ${what}. Which one counts is not said; rename one of them.`,
      )
    }
    seen.set(own.name.toLowerCase(), own)
  }
  return columns
}

/**
 * Rows of files that were resolved already. Every field of a CSV is text; an empty field is NULL and a quoted empty field is ''. Comma, quote
 * and header are fixed and never guessed, and what is in the file was held to RFC 4180 before (`csvRecords`).
 */
function reader(relation: Relation, files: readonly SourceFile[], rowNumber: boolean): string {
  const own = relation.columns.filter((column) => !column.partition)
  if (own.length < relation.columns.length) {
    const parts = files.map((file) => {
      const values = file.partitions.map(
        ({ name: column, value }) => `CAST(${value === null ? 'NULL' : literal(value)} AS VARCHAR) AS ${name(column)}`,
      )
      return `SELECT *, ${values.join(', ')} FROM ${table(relation, own, [file.path], rowNumber)}`
    })
    return `(${parts.join(' UNION ALL ')})`
  }
  return table(
    relation,
    own,
    files.map((file) => file.path),
    rowNumber,
  )
}

function table({ format, folded }: Relation, columns: readonly FileColumn[], paths: readonly string[], rowNumber: boolean): string {
  const list = `[${paths.map(literal).join(', ')}]`
  if (format === 'PARQUET') return `read_parquet(${list}${rowNumber ? ', file_row_number = true' : ''}, hive_partitioning = false)`
  if (format === 'JSON') {
    return jsonReader(
      paths,
      columns.map((column) => column.name),
    )
  }
  const names = columns.map((column) => `${literal(column.name)}: 'VARCHAR'`)
  return (
    `read_csv(${list}, auto_detect = false, columns = {${names.join(', ')}}, header = true, delim = ',', quote = '"', escape = '"', comment = '', ` +
    `strict_mode = true, null_padding = false, nullstr = '', allow_quoted_nulls = false, hive_partitioning = false, compression = 'none', parallel = ${!folded}, ` +
    `max_line_size = 16777216, buffer_size = 33554432)`
  )
}

/** All rows, as a FROM item. */
export function wholeOf(relation: Relation): string {
  return reader(relation, relation.files, false)
}

/** A piece of the relation: one Parquet file's rows `from` ≤ n < `to`, or all rows of a file of text where both are null. */
export type Piece = { from: string; where: string | null }

/** Pieces of at most `rowsPerPiece` rows that cover the rows `from` ≤ n < `to` of the files put one after another. */
export function pieces(relation: Relation, from: bigint, to: bigint | null, rowsPerPiece: bigint): Piece[] {
  const { fileRows, files } = relation
  if (fileRows === null) {
    if (from !== 0n || to !== null) {
      const message = `A ${relation.format} source is read whole: its only range is from 0 to the end.`
      throw new WaybillError('BAD_INPUT', message)
    }
    return files.map((file) => ({ from: reader(relation, [file], false), where: null }))
  }
  const taken = relation.columns.find((own) => own.name.toLowerCase() === 'file_row_number')
  if (taken !== undefined) {
    const message = `Column ${shown(taken.name)} has the name under which DuckDB numbers the rows of a Parquet file. Rename it.`
    throw new WaybillError('NOT_REPRESENTABLE', message)
  }
  const result: Piece[] = []
  let start = 0n
  for (const [index, rows] of fileRows.entries()) {
    const first = from > start ? from - start : 0n
    const last = to === null || to > start + rows ? rows : to - start
    for (let at = first; at < last; at += rowsPerPiece) {
      const end = last - at > rowsPerPiece ? at + rowsPerPiece : last
      const source = reader(relation, [files[index]!], true)
      result.push({ from: source, where: `file_row_number >= ${at} AND file_row_number < ${end}` })
    }
    start += rows
  }
  return result
}

export function column(relation: Relation, wanted: string): FileColumn {
  const found = relation.columns.find((candidate) => candidate.name === wanted)
  if (found) return found
  throw new WaybillError(
    'PLAN_INVALID',
    `The file has no column ${JSON.stringify(wanted.slice(0, 80))}. Look at what the file holds now, and name its columns as it does.`,
  )
}
