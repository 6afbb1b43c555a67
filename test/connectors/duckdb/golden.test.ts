import { readFileSync } from 'node:fs'
import { DuckDBInstance } from '@duckdb/node-api'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openFileRows } from '../../../layers/connectors/duckdb/rows.ts'
import { fileType } from '../../../layers/connectors/duckdb/types.ts'
import { copyOut } from '../../../layers/connectors/postgres/copy-stream.ts'
import { fileColumns } from '../../../layers/connectors/postgres/file-columns.ts'
import { openSession, type Session } from '../../../layers/connectors/postgres/session.ts'
import { canonicalSql } from '../../../layers/core/encoding/canonical-sql.ts'
import { canonicalType } from '../../../layers/core/encoding/canonical-type.ts'
import { decodeFrame } from '../../../layers/core/encoding/row-frame.ts'
import { type FreshDatabase, freshDatabase, runSql } from '../../support/postgres.ts'
import { mappingOf } from '../postgres/recon-fixture.ts'
import { type SourceFolder, sourceFolder } from './source-folder.ts'

/** `reads`: what a reader of the Parquet file meets; `target`: the PostgreSQL type for it; without `bytes` the value is refused. `bytes` are canonical. */
type Vector = {
  logical: string
  type: string
  sql: string
  reads: string
  target: string | null
  postgres: string | null
  bytes: string | null
  /** The bytes in the native encoding; null where only the canonical one holds the type. Absent where the value is refused. */
  native?: string | null
}
const golden = JSON.parse(readFileSync(new URL('../../core/encoding/duckdb.golden.json', import.meta.url), 'utf8')) as Vector[]

let folder: SourceFolder
let database: FreshDatabase
let session: Session
beforeAll(async () => {
  folder = await sourceFolder()
  database = await freshDatabase()
  session = await openSession(database.url, { readOnly: true, connectTimeoutMs: 5000, statementTimeoutMs: 0 })
})
afterAll(async () => {
  await session.close()
  await database.drop()
  await folder.remove()
})

async function described(sql: string): Promise<string[]> {
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' })
  const connection = await instance.connect()
  try {
    return (await connection.runAndReadAll(sql)).getRows().map((row) => String(row[1] ?? row[0]))
  } finally {
    connection.closeSync()
    instance.closeSync()
  }
}

describe('golden vectors of file types', () => {
  it.each(golden.map((vector, i) => [vector.type, vector.sql, vector, `v${i}.parquet`] as const))(
    '%s %s',
    async (_type, _sql, vector, file) => {
      await folder.write(`COPY (SELECT CAST(${vector.sql} AS ${vector.type}) AS v) TO '{}/${file}' (FORMAT parquet)`)
      expect(await described(`DESCRIBE SELECT * FROM '${folder.path}/${file}'`)).toEqual([vector.reads])
      expect(fileType(vector.reads).postgres).toBe(vector.target)
      const mapping = mappingOf('held', { v: vector.target ?? 'text' }, { source: { schema: 'files', name: file, kind: 'file' } })
      const side = await openFileRows('PARQUET', folder.path)
      const fields: (string | null)[] = []
      const read = async () => {
        const stream = await side.read(mapping, new AbortController().signal)
        for await (const chunk of stream.chunks) fields.push(Buffer.from(decodeFrame(chunk)[0]!).toString('hex'))
      }
      try {
        if (vector.bytes === null) await expect(read()).rejects.toMatchObject({ code: 'NOT_REPRESENTABLE' })
        else await read()
      } finally {
        await side.close()
      }
      expect(fields).toEqual(vector.bytes === null ? [] : [vector.bytes])
    },
  )

  it.each(golden.filter((vector) => vector.bytes !== null).map((vector) => [vector.target!, vector.postgres, vector] as const))(
    'and PostgreSQL pushes down the same bytes: %s %s',
    async (target, literal, vector) => {
      const sent: string[] = []
      for await (const chunk of copyOut(session, `SELECT ${canonicalSql(canonicalType(target), `(${literal})::${target}`)}`, 'testing')
        .chunks) {
        sent.push(Buffer.from(decodeFrame(chunk)[0]!).toString('hex'))
      }
      expect(sent).toEqual([vector.bytes])
    },
  )

  it.each(golden.filter((vector) => vector.bytes !== null).map((vector, i) => [vector.target!, vector.sql, vector, `n${i}`] as const))(
    'and both sides give the same native bytes: %s %s',
    async (target, sql, vector, name) => {
      await folder.write(`COPY (SELECT CAST(${sql} AS ${vector.type}) AS v) TO '{}/${name}.parquet' (FORMAT parquet)`)
      await runSql(database.url, `CREATE TABLE ${name} (v ${target}); INSERT INTO ${name} VALUES (${vector.postgres})`)
      const mapping = mappingOf(name, { v: target }, { source: { schema: 'files', name: `${name}.parquet`, kind: 'file' } })
      const side = await openFileRows('PARQUET', folder.path)
      const fieldOf = async (chunks: AsyncIterable<Uint8Array>) => {
        const fields: string[] = []
        for await (const chunk of chunks) fields.push(Buffer.from(decodeFrame(chunk)[0]!).toString('hex'))
        return fields
      }
      try {
        const found = await fileColumns(mapping, side, session)
        if (found === null) return expect(vector.native).toBeNull()
        const stream = await side.read(mapping, new AbortController().signal, found.forms)
        expect(await fieldOf(stream.chunks)).toEqual([vector.native])
        const sent = copyOut(session, `SELECT ${found.columns[0]!.target} FROM public.${name} AS w`, 'testing')
        expect(await fieldOf(sent.chunks)).toEqual([vector.native])
      } finally {
        await side.close()
      }
    },
  )

  it('there are for every type that DuckDB has', async () => {
    const types = (await described('SELECT DISTINCT logical_type FROM duckdb_types() ORDER BY 1')).filter(
      // NULL has no values of its own; TYPE is a type of types and is written to no file.
      (type) => type !== 'NULL' && type !== 'TYPE',
    )
    expect(types.filter((type) => !golden.some((vector) => vector.logical === type))).toEqual([])
  })
})
