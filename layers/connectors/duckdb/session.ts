import { type DuckDBConnection, type DuckDBDataChunk, DuckDBInstance } from '@duckdb/node-api'
import { WaybillError } from '../../core/errors.ts'
import { chunkMemory, type VectorMemory } from './vector-memory.ts'

/** More would buy little: PostgreSQL on the other side is the limit. */
const THREADS = '2'
const MEMORY = '1GiB'

export type DuckSession = {
  /** Rows by column name, every value as DuckDB's text or null. */
  ask(sql: string): Promise<Record<string, string | null>[]>
  /** Vectors as they are produced, so that memory stays flat. */
  vectors(sql: string): AsyncIterable<Vectors>
  /**
   * The same as memory, which is DuckDB's: it must not be looked at any more when the next is asked for. `columns` are the types the statement
   * must have, and the bytes of one value of each.
   */
  memories(sql: string, columns: readonly { type: string; width: number }[]): AsyncIterable<VectorMemory[]>
  close(): Promise<void>
}

/** Up to 2,048 rows; `column(i)` gives one column's values. */
export type Vectors = { rows: number; column(index: number): readonly unknown[] }

/**
 * An in-memory DuckDB that can read files under `root` and nothing else: no extensions, no network, configuration locked. One thread holds
 * half of what two do. @throws CONNECTION_FAILED
 */
export async function openDuckDb(root: string, threads: '1' | '2' = THREADS): Promise<DuckSession> {
  let instance: DuckDBInstance
  let connection: DuckDBConnection
  try {
    instance = await DuckDBInstance.create(':memory:', {
      threads,
      memory_limit: MEMORY,
      autoinstall_known_extensions: 'false',
      autoload_known_extensions: 'false',
    })
    connection = await instance.connect()
    // Rows may be handed over in any order within a batch; a temporary directory would put personal data on disk.
    await connection.run(`SET allowed_directories = [${literal(root)}]`)
    await connection.run(`SET temp_directory = ''`)
    await connection.run(`SET enable_external_access = false`)
    await connection.run(`SET lock_configuration = true`)
  } catch (error) {
    throw duckFailure(error, 'starting DuckDB')
  }
  let fetching: Promise<unknown> = Promise.resolve()
  return {
    async ask(sql) {
      try {
        const result = await connection.runAndReadAll(sql)
        return result
          .getRowObjectsJson()
          .map((row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, asText(value)])))
      } catch (error) {
        throw duckFailure(error, 'reading a file')
      }
    },
    async *vectors(sql) {
      try {
        const result = await connection.stream(sql)
        for (;;) {
          const chunk = await result.fetchChunk()
          if (chunk === null || chunk.rowCount === 0) return
          yield { rows: chunk.rowCount, column: (index) => chunk.getColumnVector(index).toArray() }
        }
      } catch (error) {
        throw duckFailure(error, 'reading a file')
      }
    },
    async *memories(sql, columns) {
      try {
        const result = await connection.stream(sql)
        const types = result.columnTypes().map(String)
        // Memory of another type would be read beyond its end.
        if (types.length !== columns.length || types.some((type, i) => type !== columns[i]!.type)) {
          throw new WaybillError(
            'CONFLICT',
            'The columns of the files changed while they were read. Compare again when nobody writes to them.',
          )
        }
        const widths = columns.map(({ width }) => width)
        const fetched = (): Promise<DuckDBDataChunk | null> => {
          const chunk = result.fetchChunk()
          fetching = chunk.catch(() => {})
          return chunk
        }
        let next = fetched()
        for (;;) {
          const chunk = await next
          if (chunk === null || chunk.rowCount === 0) return
          // DuckDB works on the next one while this one is looked at.
          next = fetched()
          const rows = chunk.rowCount
          yield chunkMemory(chunk.chunk, rows, widths)
          // Asked behind the use of its memory, so that the chunk lives until then.
          if (chunk.rowCount !== rows)
            throw new WaybillError('STREAM_TRUNCATED', 'Rows of the file went missing. Run the comparison again.')
        }
      } catch (error) {
        throw duckFailure(error, 'reading a file')
      }
    },
    async close() {
      // A connection must not be closed under a thread that reads.
      await fetching
      connection.closeSync()
      instance.closeSync()
    },
  }
}

/** A quoted DuckDB literal; backslashes mean themselves there. */
export function literal(value: string): string {
  if (value.includes('\u0000')) throw new WaybillError('NOT_REPRESENTABLE', 'A text with NUL cannot be used here. Take it out of the spec.')
  return `'${value.replaceAll("'", "''")}'`
}

export function name(identifier: string): string {
  if (identifier === '' || identifier.includes('\u0000'))
    throw new WaybillError('NOT_REPRESENTABLE', 'A column of a file has no usable name.')
  return `"${identifier.replaceAll('"', '""')}"`
}

/** DuckDB quotes the offending value in data errors, so only the first line's kind of a conversion error is repeated. */
export function duckFailure(error: unknown, doing: string): WaybillError {
  if (error instanceof WaybillError) return error
  const said = error instanceof Error ? error.message : String(error)
  // Our own words, said by the statement itself. Only where they begin the message: further on they could be a value.
  const own = /^Invalid Input Error: waybill: ([^\n]+)/.exec(said)?.[1]
  if (own !== undefined) return new WaybillError('NOT_REPRESENTABLE', own)
  const kind = /^([A-Z][A-Za-z ]+ Error)/.exec(said)?.[1] ?? 'Error'
  if (/^(Conversion|Invalid Input|Out of Range|Constraint|Serialization)/.test(kind)) {
    const line = /^[^\n]*CSV Error on Line: (\d+)/.exec(said)?.[1]
    return new WaybillError(
      'NOT_REPRESENTABLE',
      `Failed while ${doing} (${kind}${line === undefined ? '' : `, line ${line}`}). A value of the file does not fit the type of its column, or the file is not of its format.`,
    )
  }
  if (/^(Binder|Catalog|Parser|Not implemented)/.test(kind)) {
    return new WaybillError(
      'PLAN_INVALID',
      `Failed while ${doing} (${kind}). The file's columns are not what they were said to be, or the file cannot be read as one of its format.`,
    )
  }
  if (/^Permission/.test(kind))
    return new WaybillError('PERMISSION_DENIED', `Failed while ${doing}: the file lies outside the source folder.`)
  if (/^Out of Memory/.test(kind))
    return new WaybillError('TOO_LARGE', `Failed while ${doing}: it needs more than ${MEMORY}. Cut the file into smaller ones.`)
  if (/^Interrupt/.test(kind)) return new WaybillError('INTERRUPTED', `Interrupted while ${doing}.`)
  return new WaybillError('CONNECTION_FAILED', `Failed while ${doing} (${kind}). Check that the file is there, whole and readable.`)
}

function asText(value: unknown): string | null {
  if (value === null || value === undefined) return null
  return typeof value === 'string' ? value : JSON.stringify(value)
}
