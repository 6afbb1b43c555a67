import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { passwordFromFile } from '../../cli/compare/password-file.ts'
import { readSide } from '../../cli/compare/side.ts'

let folder: string
const none = { PGPASSFILE: '/nonexistent' }

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-side-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function passwordFile(text: string, mode = 0o600): Promise<{ PGPASSFILE: string }> {
  const path = join(folder, `pass-${Math.random().toString(36).slice(2)}`)
  await writeFile(path, text)
  await chmod(path, mode)
  return { PGPASSFILE: path }
}

describe('what a person writes for one side', () => {
  it.each([
    ['postgresql://me:pa%40ss@db.example:6000/my%20db', 'postgresql://me:pa%40ss@db.example:6000/my%20db', 'my db on db.example:6000'],
    ['postgres://db.example/x', 'postgresql://u@db.example:5432/x', 'x on db.example:5432'],
    ["host=db dbname='my db' user=me password='it''s'", null, null],
    ["host=db dbname='my db' user=me password='it\\'s' port=7", "postgresql://me:it's@db:7/my%20db", 'my db on db:7'],
    ['orders', 'postgresql://u@localhost:5432/orders', 'orders on localhost:5432'],
    ['postgresql:///orders?host=db2&sslmode=require', 'postgresql://u@db2:5432/orders?sslmode=require', 'orders on db2:5432'],
    ['postgresql://[::1]:5433/orders', 'postgresql://u@[::1]:5433/orders', 'orders on ::1:5433'],
  ])('%s', (text, url, label) => {
    if (url === null) expect(() => readSide(text, 'source', { ...none, PGUSER: 'u' })).toThrow(/cannot be read/)
    else expect(readSide(text, 'source', { ...none, PGUSER: 'u' })).toEqual({ systemType: 'POSTGRESQL', url, label, pattern: null })
  })

  it('takes from PG* variables what the connection string leaves out, and nothing else', () => {
    const env = { PGHOST: 'h', PGPORT: '99', PGDATABASE: 'd', PGUSER: 'u', PGPASSWORD: 'secret', PGSSLMODE: 'require' }
    expect(readSide('postgresql://', 'source', env).url).toBe('postgresql://u:secret@h:99/d?sslmode=require')
    expect(readSide('postgresql://me@other:1/x?sslmode=disable', 'source', env).url).toBe(
      'postgresql://me:secret@other:1/x?sslmode=disable',
    )
  })

  it('reads a side out of a variable, but not a variable out of a variable', () => {
    expect(readSide('env://OLD', 'source', { ...none, OLD: 'postgresql://u@h/x' }).label).toBe('x on h:5432')
    expect(() => readSide('env://OLD', 'source', none)).toThrow(/OLD, which is not set/)
    expect(() => readSide('env://OLD', 'source', { OLD: 'env://OLD' })).toThrow(/another variable/)
  })

  it('never repeats what it cannot read: it may hold a password', () => {
    for (const text of [
      'postgresql://u:s3cret@h:port/x',
      'mysql://u:s3cret@h/x',
      'u:s3cret@h',
      'password=s3cret nosuch=1',
      'password=s3cret "',
    ]) {
      try {
        readSide(text, 'target', none)
        expect.unreachable()
      } catch (error) {
        expect(String(error)).not.toContain('s3cret')
        expect(String(error)).toContain('target')
      }
    }
  })

  it('knows a folder, a file and a glob', () => {
    expect(readSide(`parquet:${folder}`, 'source', none)).toMatchObject({ systemType: 'PARQUET', url: folder, pattern: null })
    expect(readSide('csv:data/in/x.csv', 'source', none)).toMatchObject({ systemType: 'CSV', url: 'data/in', pattern: 'x.csv' })
    expect(readSide('parquet:data/*/p=1/*.parquet', 'source', none)).toMatchObject({ url: 'data', pattern: '*/p=1/*.parquet' })
    expect(readSide('json:data/in.ndjson', 'target', none)).toMatchObject({ systemType: 'JSON', url: 'data', pattern: 'in.ndjson' })
    expect(readSide('parquet:data/year=2026/x.parquet', 'source', none)).toMatchObject({ url: 'data', pattern: 'year=2026/x.parquet' })
  })
})

describe('the password file', () => {
  const connection = { host: 'db', port: '5432', database: 'orders', user: 'me' }

  it('gives the first line that fits, with stars and escapes', async () => {
    const env = await passwordFile('# a comment\n\nother:5432:orders:me:no\ndb:*:orders:me:pa\\:ss\\\\word\n*:*:*:*:last\n')
    expect(passwordFromFile(connection, env)).toBe('pa:ss\\word')
    expect(passwordFromFile({ ...connection, user: 'you' }, env)).toBe('last')
    expect(readSide('postgresql://me@db/orders', 'source', env).url).toBe('postgresql://me:pa%3Ass%5Cword@db:5432/orders')
  })

  it('gives nothing for a line that is too short', async () => {
    expect(passwordFromFile(connection, await passwordFile('db:5432:orders:me\n'))).toBeUndefined()
  })

  it('is not used when others may read it', async () => {
    expect(passwordFromFile(connection, await passwordFile('*:*:*:*:x\n', 0o644))).toBeUndefined()
  })

  it('gives way to a password that was said', async () => {
    const env = await passwordFile('*:*:*:*:filed\n')
    expect(readSide('postgresql://me:said@db/orders', 'source', env).url).toContain('me:said@')
    expect(readSide('postgresql://me@db/orders', 'source', { ...env, PGPASSWORD: 'variable' }).url).toContain('me:variable@')
  })
})
