import { mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'

export type SourceFolder = { path: string; write(sql: string): Promise<void>; remove(): Promise<void> }

/** A folder of its own for one test file, and a DuckDB that may write into it: `{}` in the statement stands for the folder. */
export async function sourceFolder(): Promise<SourceFolder> {
  const path = await realpath(await mkdtemp(join(tmpdir(), 'waybill-files-')))
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' })
  const connection = await instance.connect()
  return {
    path,
    async write(sql) {
      await connection.run(sql.replaceAll('{}', path))
    },
    async remove() {
      connection.closeSync()
      instance.closeSync()
      await rm(path, { recursive: true, force: true })
    },
  }
}

/** Every type a file can hold that PostgreSQL holds exactly, with awkward values. */
export const EVERY_TYPE = `SELECT * FROM (VALUES
  (true, 127::TINYINT, 32767::SMALLINT, 1::INTEGER, 9007199254740993::BIGINT, 170141183460469231731687303715884105727::HUGEINT, 255::UTINYINT,
   18446744073709551615::UBIGINT, 1.1::FLOAT, 0.1::DOUBLE, 12345678901234567.89::DECIMAL(19,2), E'tab\\t"q" \\\\ nl\\n\\\\N é😀', '\\x00\\xFF'::BLOB,
   DATE '0044-03-15 (BC)', TIME '23:59:59.999999', TIMESTAMP '2001-01-01 00:00:00.000001', TIMESTAMPTZ '2001-01-01 00:00:00.5+05', INTERVAL '1 month 30 days 1 millisecond',
   '00000000-0000-0000-0000-00000000000a'::UUID),
  (false, -128, -32768, -2147483648, -9223372036854775808, -1, 0, 0, 'nan'::FLOAT, 5e-324, -0.01, '', ''::BLOB, DATE 'infinity', TIME '00:00:00', TIMESTAMP '-infinity',
   TIMESTAMPTZ '0044-03-15 (BC) 00:00:00+00', INTERVAL '0 seconds', 'ffffffff-ffff-ffff-ffff-ffffffffffff'),
  (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'inf', '-inf', NULL, NULL, NULL, NULL, NULL, TIMESTAMP '0044-03-15 (BC) 12:00:00.5', TIMESTAMPTZ 'infinity', NULL, NULL),
  (true, 0, 0, 0, 0, 0, 0, 0, '-0.0'::FLOAT, '-0.0'::DOUBLE, 0, 'NULL', 'a'::BLOB, DATE '12026-01-01', TIME '12:00:00.5', TIMESTAMP '9999-12-31 23:59:59', TIMESTAMPTZ '1970-01-01 00:00:00+00',
   INTERVAL '13 months', NULL)
  ) AS t (flag, tiny, small, whole, big, huge, utiny, ubig, single, double, money, words, raw, day, clock, moment, instant, span, id)`
