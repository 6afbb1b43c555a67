import type { Source, TableRef } from '../../core/connector.ts'
import type { Catalog, CatalogTable, Profile, TableProfile } from '../../core/schemas/catalog.ts'
import { identityOfFiles, listTables, sourceFolder } from './files.ts'
import { EXTENSIONS, type FileFormat, openRelation, type Relation, wholeOf } from './relation.ts'
import { type DuckSession, name, openDuckDb } from './session.ts'
import type { Family } from './types.ts'

/** The schema name of files that nobody gave one. */
export const FILES_SCHEMA = 'files'

/** Above this many rows a distinct count over every column would take longer than the copy. */
const EXACT_DISTINCT_ROWS = 200_000n

const ORDERED: readonly Family[] = ['integer', 'decimal', 'float', 'date', 'time', 'timestamp']

/**
 * Parquet, CSV or JSON files below a folder, each path or glob one table. Types are named as PostgreSQL names the type that holds every value
 * exactly, otherwise as DuckDB names them; columns of CSV, of JSON and of partitioned folders are text. Files have no keys, no indexes and no checks, and every column may be NULL.
 * @throws NOT_FOUND, BAD_INPUT, PLAN_INVALID
 */
export async function openFileSource(format: FileFormat, url: string): Promise<Source> {
  const root = await sourceFolder(url)
  const duck = await openDuckDb(root)
  const inScope = async (scope: readonly TableRef[]): Promise<readonly TableRef[]> =>
    scope.length > 0 ? scope : (await listTables(root, EXTENSIONS[format])).map((file) => ({ schema: FILES_SCHEMA, name: file }))
  return {
    identity: async (scope) =>
      identityOfFiles(
        root,
        (await inScope(scope)).map((table) => table.name),
      ),
    catalog: async (scope) => readCatalog(duck, root, format, await inScope(scope)),
    profile: async (scope) => readProfile(duck, root, format, await inScope(scope)),
    async chunks(table, rowsPerChunk) {
      const relation = await openRelation(duck, root, format, table.source.name)
      if (relation.fileRows === null) return [{ from: '0', to: null }]
      const rows = relation.fileRows.reduce((sum, own) => sum + own, 0n)
      const step = BigInt(rowsPerChunk)
      const starts: bigint[] = [0n]
      for (let at = step; at < rows; at += step) starts.push(at)
      return starts.map((from, index) => ({ from: String(from), to: starts[index + 1] === undefined ? null : String(starts[index + 1]) }))
    },
    close: () => duck.close(),
  }
}

async function readCatalog(duck: DuckSession, root: string, format: FileFormat, scope: readonly TableRef[]): Promise<Catalog> {
  const [server] = await duck.ask('SELECT version() AS version')
  const tables: CatalogTable[] = []
  for (const table of scope) {
    const relation = await openRelation(duck, root, format, table.name)
    tables.push({
      ...table,
      kind: 'file',
      comment: null,
      columns: relation.columns.map((column) => ({
        name: column.name,
        type: column.type.postgres ?? column.type.duck,
        nullable: true,
        default: null,
        generated: false,
        identity: false,
        collation: null,
        comment: null,
        type_definition: null,
        generation: null,
        identity_kind: null,
      })),
      primary_key: null,
      unique_keys: [],
      foreign_keys: [],
      checks: [],
      indexes: [],
      partitions: [],
      partition_key: null,
      partition_bounds: [],
      primary_key_definition: null,
      exclusions: [],
      sequences: [],
      triggers: [],
      row_security: 'off',
      policies: [],
      estimated_rows: String(relation.fileRows?.reduce((sum, own) => sum + own, 0n) ?? (await countRows(duck, relation))),
      bytes: String(relation.files.reduce((sum, file) => sum + file.bytes, 0n)),
    })
  }
  return { system_type: format, server_version: `DuckDB ${server?.version ?? ''}`, database: 'files', tables }
}

async function readProfile(duck: DuckSession, root: string, format: FileFormat, scope: readonly TableRef[]): Promise<Profile> {
  const tables: TableProfile[] = []
  for (const table of scope) tables.push(await profileTable(duck, table, await openRelation(duck, root, format, table.name)))
  return { tables }
}

async function profileTable(duck: DuckSession, table: TableRef, relation: Relation): Promise<TableProfile> {
  const from = wholeOf(relation)
  const rows = await countRows(duck, relation)
  const cheap = rows <= EXACT_DISTINCT_ROWS
  const figures = relation.columns.flatMap((column, index) => {
    const quoted = name(column.name)
    const ordered = column.type.family !== null && ORDERED.includes(column.type.family)
    return [
      `count(*) FILTER (WHERE ${quoted} IS NULL)::VARCHAR AS n${index}`,
      ...(cheap ? [`count(DISTINCT ${quoted})::VARCHAR AS d${index}`] : []),
      ...(ordered ? [`min(${quoted})::VARCHAR AS a${index}`, `max(${quoted})::VARCHAR AS z${index}`] : []),
    ]
  })
  const [scan = {}] = await duck.ask(`SELECT ${figures.join(', ')} FROM ${from}`)
  const [once] = await duck.ask(`SELECT count(*)::VARCHAR AS n FROM (SELECT DISTINCT * FROM ${from})`)
  return {
    ...table,
    rows: String(rows),
    duplicate_rows: String(rows - BigInt(once?.n ?? '0')),
    columns: relation.columns.map((column, index) => {
      const ordered = column.type.family !== null && ORDERED.includes(column.type.family)
      const reasons = [
        ...(cheap ? [] : [`distinct not counted above ${EXACT_DISTINCT_ROWS} rows`]),
        ...(ordered ? [] : ['smallest and largest value are left out: text may be personal data, other types have no order to show']),
      ]
      return {
        name: column.name,
        type: column.type.postgres ?? column.type.duck,
        nulls: scan[`n${index}`] ?? '0',
        distinct: cheap ? (scan[`d${index}`] ?? null) : null,
        min: ordered ? (scan[`a${index}`] ?? null) : null,
        max: ordered ? (scan[`z${index}`] ?? null) : null,
        reason: reasons.length > 0 ? reasons.join('; ') : null,
      }
    }),
  }
}

async function countRows(duck: DuckSession, relation: Relation): Promise<bigint> {
  const [counted] = await duck.ask(`SELECT count(*)::VARCHAR AS n FROM ${wholeOf(relation)}`)
  return BigInt(counted?.n ?? '0')
}
