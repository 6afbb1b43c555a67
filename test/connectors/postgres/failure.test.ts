import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openSession, type Session } from '../../../layers/connectors/postgres/session.ts'
import type { WaybillError } from '../../../layers/core/errors.ts'
import { type FreshDatabase, freshDatabase, runSql } from '../../support/postgres.ts'

/** What a real server says when something fails, and what is repeated of it. */

const VALUE = 'Wilhelmina Quackenbush'
let database: FreshDatabase
let session: Session

beforeAll(async () => {
  database = await freshDatabase()
  await runSql(
    database.url,
    `CREATE TABLE person (name text PRIMARY KEY CHECK (length(name) < 30), born date, short varchar(5));
     INSERT INTO person VALUES ('${VALUE}', '2000-01-01', 'x');
     CREATE VIEW young AS SELECT * FROM person WHERE born > '1990-01-01' WITH CHECK OPTION;
     CREATE FUNCTION complain(code text) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'who is ${VALUE}?' USING ERRCODE = code; END $$;
     CREATE FUNCTION reads(text) RETURNS int LANGUAGE sql AS $$ SELECT $1::int $$`,
  )
  session = await openSession(database.url, { readOnly: false, connectTimeoutMs: 10_000, statementTimeoutMs: 30_000 })
})
afterAll(async () => {
  await session.close()
  await database.drop()
})

async function failure(sql: string): Promise<WaybillError> {
  return session.run(sql).then(
    () => expect.fail(`${sql} worked`),
    (error: WaybillError) => error,
  )
}

describe('an error of the server', () => {
  it.each([
    ['invalid input', `SELECT '${VALUE}'::int`, 'NOT_REPRESENTABLE'],
    ['a value too long', `UPDATE person SET short = '${VALUE}'`, 'NOT_REPRESENTABLE'],
    ['a date out of range', `SELECT '99999999-01-01 ${VALUE}'::date`, 'NOT_REPRESENTABLE'],
    ['a duplicate key', `INSERT INTO person VALUES ('${VALUE}', '2000-01-01')`, 'CONFLICT'],
    ['a check', `INSERT INTO person VALUES ('${VALUE}${VALUE}', '2000-01-01')`, 'CONFLICT'],
    ['a NULL', 'INSERT INTO person (born) VALUES (now())', 'CONFLICT'],
    ['a view’s check', `INSERT INTO young VALUES ('${VALUE} II', '1980-01-01')`, 'CONNECTION_FAILED'],
    ['a function that raises', `SELECT public.complain('P0001')`, 'CONNECTION_FAILED'],
    ['a function that raises what it likes', `SELECT public.complain('42501')`, 'PERMISSION_DENIED'],
    ['a condition of its own', `SELECT public.complain('45000')`, 'CONNECTION_FAILED'],
    ['a function within', `SELECT public.reads('${VALUE}')`, 'NOT_REPRESENTABLE'],
    ['JSON', `SELECT '{"${VALUE}'::json`, 'NOT_REPRESENTABLE'],
    ['XML or another type', `SELECT '${VALUE}'::inet`, 'NOT_REPRESENTABLE'],
  ])('about %s repeats no value', async (_what, sql, code) => {
    const error = await failure(sql.replaceAll('person', 'public.person').replaceAll('young', 'public.young'))
    expect(error.code).toBe(code)
    expect([error.message, ...error.details].join()).not.toContain('Quackenbush')
    expect(error.message).toMatch(/\(SQLSTATE [0-9A-Z]{5}\)/)
  })

  it.each([
    ['SELECT * FROM public.persons', 'relation "public.persons" does not exist'],
    ['SELECT surname FROM public.person', 'column "surname" does not exist'],
    ['SELECT public.nothing()', 'function public.nothing() does not exist'],
  ])('%s is told in the server’s own words', async (sql, words) => {
    expect((await failure(sql)).message).toContain(words)
  })
})
