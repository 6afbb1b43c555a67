import { realpath } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { literal, openDuckDb } from './session.ts'

const COLUMNS = `{source: 'VARCHAR', target: 'VARCHAR', kind: 'VARCHAR', segment: 'BIGINT',
  key: 'STRUCT("column" VARCHAR, "value" VARCHAR)[]', columns: 'STRUCT("column" VARCHAR, source VARCHAR, target VARCHAR)[]',
  source_count: 'VARCHAR', target_count: 'VARCHAR'}`

/** DuckDB keeps a few times as much as the longest line may take for each of its threads, so it is told how long lines really are. */
const SHORTEST_LIMIT = 1024 * 1024
/** Rows of a row group: DuckDB holds some of them until they are written. */
const GROUP_ROWS = 8192

/**
 * Differences as lines of JSON, of which the longest has `longest` bytes, made into a Parquet file of the same rows in the same order. Both
 * in one folder. @throws CONNECTION_FAILED, NOT_REPRESENTABLE
 */
export async function differencesToParquet(lines: string, parquet: string, longest: number): Promise<void> {
  const folder = await realpath(dirname(lines))
  const duck = await openDuckDb(folder, '1')
  const path = (file: string) => literal(join(folder, basename(file)))
  try {
    await duck.ask(
      `COPY (SELECT * REPLACE (source_count::BIGINT AS source_count, target_count::BIGINT AS target_count)
         FROM read_json(${path(lines)}, format = 'newline_delimited', columns = ${COLUMNS}, maximum_object_size = ${Math.max(SHORTEST_LIMIT, longest + 1)}))
       TO ${path(parquet)} (FORMAT parquet, ROW_GROUP_SIZE ${GROUP_ROWS})`,
    )
  } finally {
    await duck.close()
  }
}
