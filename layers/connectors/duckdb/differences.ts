import { realpath } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { literal, openDuckDb } from './session.ts'

const COLUMNS = `{source: 'VARCHAR', target: 'VARCHAR', kind: 'VARCHAR', segment: 'BIGINT',
  key: 'STRUCT("column" VARCHAR, "value" VARCHAR)[]', columns: 'STRUCT("column" VARCHAR, source VARCHAR, target VARCHAR)[]',
  source_count: 'VARCHAR', target_count: 'VARCHAR'}`

/** Bytes of one difference; DuckDB keeps a few times as much for each of its threads. */
const LONGEST_LINE = 64 * 1024 * 1024

/**
 * Differences as lines of JSON, made into a Parquet file of the same rows in the same order. Both in one folder.
 * @throws CONNECTION_FAILED, NOT_REPRESENTABLE
 */
export async function differencesToParquet(lines: string, parquet: string): Promise<void> {
  const folder = await realpath(dirname(lines))
  const duck = await openDuckDb(folder)
  const path = (file: string) => literal(join(folder, basename(file)))
  try {
    await duck.ask(
      `COPY (SELECT * REPLACE (source_count::BIGINT AS source_count, target_count::BIGINT AS target_count)
         FROM read_json(${path(lines)}, format = 'newline_delimited', columns = ${COLUMNS}, maximum_object_size = ${LONGEST_LINE}))
       TO ${path(parquet)} (FORMAT parquet)`,
    )
  } finally {
    await duck.close()
  }
}
