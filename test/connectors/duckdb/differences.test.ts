import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LineFile } from '../../../cli/compare/difference-file.ts'
import { differencesToParquet } from '../../../layers/connectors/duckdb/differences.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-differences-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

async function converted(values: readonly string[]): Promise<{ value: string; n: string }[]> {
  const lines = new LineFile(join(folder, 'd.lines'), '--differences')
  for (const [n, value] of values.entries()) {
    const columns = [{ column: 'note', source: value, target: null }]
    lines.add(
      JSON.stringify({ source: 's.t', target: 's.t', kind: 'missing', segment: n, key: [], columns, source_count: '1', target_count: '0' }),
    )
  }
  lines.close()
  const parquet = join(folder, 'd.parquet')
  await differencesToParquet(lines.path, parquet, lines.longest)
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  try {
    const read = await connection.runAndReadAll(`SELECT columns[1].source AS value, segment::VARCHAR AS n FROM '${parquet}'`)
    return read.getRowObjectsJson() as { value: string; n: string }[]
  } finally {
    connection.closeSync()
    instance.closeSync()
  }
}

test('differences keep their order over many row groups, and none is lost', async () => {
  const values = Array.from({ length: 20_000 }, (_, i) => `value ${i}`)
  const read = await converted(values)
  expect(read.map(({ value }) => value)).toEqual(values)
  expect(read.map(({ n }) => n)).toEqual(values.map((_, i) => String(i)))
})

test('a line of any length becomes a row: bytes count, not letters', async () => {
  const values = ['ä'.repeat(20_000_000), 'short', '€'.repeat(700_000)]
  expect((await converted(values)).map(({ value }) => value.length)).toEqual([20_000_000, 5, 700_000])
})

test('no differences are an empty file', async () => {
  expect(await converted([])).toEqual([])
})
