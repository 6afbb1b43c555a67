import { execFileSync } from 'node:child_process'
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { differencesToParquet } from '../../layers/connectors/duckdb/differences.ts'
import { waybill } from '../end-to-end/command.ts'
import { type FreshDatabase, freshDatabase, runSql, serverUrl } from '../support/postgres.ts'
import { sightings } from './support/canaries.ts'
import { type Migrated, migrate, specOf } from './support/canary-migration.ts'

/**
 * Known secrets and personal values are planted wherever a database, a connection or an error can hold them. Then everything a migration or a
 * comparison leaves behind is read, down to Git objects and database pages, and none of them may be there in any form.
 */
const CANARIES = {
  'password of the source': 'Zanzibar-7193%Okapi',
  'password of the target': 'Quokka/4471+Lemur',
  name: 'Wilhelmina Quackenbush',
  email: 'wilhelmina.quackenbush@canary-mail.test',
  phone: '+49 30 5550198765',
  'free text': 'allergic to penicillin since Ñandú & "Überfluß" <1987>',
  'several lines': 'first line about Eustace\nsecond line about Philomena',
  token: 'AKIACANARY7QX2LMNOP4',
  'row without a key': 'Bartholomew Featherstonehaugh',
  'another key': 'ignatius.reilly@canary-mail.test',
  'corrupted into': 'Thelonious Ravenscroft',
  'column comment': 'ask Hildegard Pfefferkorn for the pass phrase xyzzy-plugh',
  'table comment': 'exported by Cornelius Blotwick, room 1408',
  default: 'Default Dorothea Snodgrass',
  label: 'Label Leopold Bimblethwaite',
  check: 'Checked Chester Wigglesworth',
  'index predicate': 'Indexed Ingeborg Trondheim',
  'generated from': 'Generated Gwendolyn Fotheringay',
  'number in a default': '4915550198765',
  'raised by a trigger': 'Raised Rosalind Ackerley',
} as const

const quoted = (text: string) => `'${text.replaceAll("'", "''")}'`
const of = (name: keyof typeof CANARIES) => quoted(CANARIES[name])

const LONG = 300_000
let folder: string
let source: FreshDatabase
let target: FreshDatabase
const roles: string[] = []
let env: Record<string, string>

const TABLES = `
  CREATE TYPE mood AS ENUM ('calm', ${of('label')});
  CREATE TABLE person (
    id bigint PRIMARY KEY, name text NOT NULL DEFAULT ${of('default')}, email text, phone text, mood mood DEFAULT ${of('label')}, note text,
    number bigint DEFAULT ${CANARIES['number in a default']}, CHECK (note <> ${of('check')}),
    made text GENERATED ALWAYS AS (coalesce(name, ${of('generated from')})) STORED);
  CREATE INDEX person_by_note ON person (id) WHERE note = ${of('index predicate')};
  COMMENT ON TABLE person IS ${of('table comment')};
  COMMENT ON COLUMN person.note IS ${of('column comment')};
  INSERT INTO person (id, name, email, phone, note, number) SELECT i, 'name ' || i, 'm' || i || '@example.com', NULL, 'note ' || i, i FROM generate_series(1, 300) i;
  UPDATE person SET name = ${of('name')}, email = ${of('email')}, phone = ${of('phone')}, note = ${of('free text')} WHERE id = 77;
  UPDATE person SET note = ${of('several lines')} WHERE id = 78;
  CREATE TABLE login (email text PRIMARY KEY, token text);
  INSERT INTO login SELECT 'u' || i || '@example.com', 'token ' || i FROM generate_series(1, 200) i;
  INSERT INTO login VALUES (${of('email')}, ${of('token')}), (${of('another key')}, 'x');
  CREATE TABLE visit (who text, at date);
  INSERT INTO visit SELECT 'w' || i % 9, '2026-01-01'::date + i % 30 FROM generate_series(1, 200) i;
  INSERT INTO visit VALUES (${of('row without a key')}, '2026-02-02'), (${of('row without a key')}, '2026-02-02');`

const SPEC_TABLES = [
  '{ source: public.person, target: { schema: moved, name: person }, exclude: [mood, made] }',
  '{ source: public.login, target: { schema: moved, name: login } }',
  '{ source: public.visit, target: { schema: moved, name: visit } }',
]

/** A role of its own whose password is a canary. */
async function ownedBy(database: FreshDatabase, password: string, grants: string): Promise<string> {
  const name = `canary_${roles.length}_${new URL(database.url).pathname.slice(3, 15)}`
  roles.push(name)
  await runSql(database.url, `CREATE ROLE ${name} LOGIN PASSWORD ${quoted(password)}; ${grants.replaceAll('$ROLE', name)}`)
  return serverUrl(new URL(database.url).pathname.slice(1), { name, password })
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-canary-'))
  source = await freshDatabase()
  target = await freshDatabase()
  await runSql(source.url, TABLES)
  const database = new URL(target.url).pathname.slice(1)
  env = {
    SOURCE: await ownedBy(source, CANARIES['password of the source'], 'GRANT pg_read_all_data TO $ROLE'),
    TARGET: await ownedBy(
      target,
      CANARIES['password of the target'],
      `GRANT CREATE ON DATABASE ${database} TO $ROLE; GRANT pg_read_all_data TO $ROLE`,
    ),
  }
}, LONG)
afterAll(async () => {
  await source.drop()
  await target.drop()
  for (const role of roles) await runSql(serverUrl('postgres'), `DROP ROLE IF EXISTS ${role}`)
  await rm(folder, { recursive: true, force: true })
})

const place = (name: string) => join(folder, name)
const emptied = () => runSql(target.url, 'DROP SCHEMA IF EXISTS moved CASCADE; DROP SCHEMA IF EXISTS waybill CASCADE')

async function nothingIn(name: string): Promise<string[]> {
  const { found, looked } = await sightings(place(name), CANARIES)
  expect(found).toEqual([])
  return looked
}

describe('a migration', () => {
  let clean: Migrated

  it('that is proven leaves none of it behind', { timeout: LONG }, async () => {
    clean = await migrate(place('clean'), specOf('clean', SPEC_TABLES), env)
    expect([clean.project.failure, clean.project.state, clean.code], clean.terminal).toEqual([null, 'EVIDENCE_COMPLETE', 0])
    expect(clean.prompts).toBeGreaterThan(5)
    const looked = await nothingIn('clean')
    const kinds = {
      database: /waybill\.sqlite$/,
      artifact: /home\/artifacts\//,
      mail: /home\/outbox\/.+\.eml$/,
      'Git objects': /\(objects\)$/,
      'approval page': /^pages\//,
      pack: /out\/evidence_pack\//,
      report: /out\/report\.(html|md)$/,
      outcome: /out\/outcome\.json$/,
      'terminal and log': /terminal\.txt$/,
      prompts: /prompts\.txt$/,
    }
    for (const [what, pattern] of Object.entries(kinds)) expect(looked.filter((file) => pattern.test(file)).length, what).toBeGreaterThan(0)
  })

  it('is looked at in every place: one canary put into each file is found there', { timeout: LONG }, async () => {
    const { looked } = await sightings(place('clean'), {})
    const planted = place('planted')
    const texts: [string, (value: string) => string][] = [
      ['plain', (value) => value],
      ['JSON', (value) => JSON.stringify({ deep: [value] })],
      ['base64', (value) => Buffer.from(`{"x":"${value}"}`).toString('base64')],
      [
        'base64 in lines',
        (value) => Buffer.from(`some words before it ${value} and after it`).toString('base64').replace(/.{20}/g, '$&\r\n'),
      ],
      ['hex', (value) => Buffer.from(value).toString('hex').toUpperCase()],
      ['URL', (value) => new URLSearchParams({ a: value }).toString()],
      ['HTML', (value) => value.replace(/[^A-Za-z0-9 ]/g, (c) => `&#${c.codePointAt(0)};`)],
      [
        'quoted-printable',
        (value) =>
          [...Buffer.from(value)]
            .map((byte) => `=${byte.toString(16).toUpperCase().padStart(2, '0')}`)
            .join('')
            .replace(/(.{60})/g, '$1=\r\n'),
      ],
      ['UTF-16', (value) => Buffer.from(value, 'utf16le').toString('latin1')],
      ['lower case', (value) => value.toLowerCase()],
    ]
    const wanted = { 'free text': CANARIES['free text'], email: CANARIES.email, name: CANARIES.name }
    for (const [form, write] of texts) {
      for (const value of Object.values(wanted)) {
        if (form === 'lower case' && value === CANARIES['free text']) continue
        await rm(planted, { recursive: true, force: true })
        mkdirSync(planted)
        writeFileSync(join(planted, 'f'), form === 'UTF-16' ? Buffer.from(write(value), 'latin1') : `before\n${write(value)}\nafter`)
        expect((await sightings(planted, wanted)).found.length, `${form}: ${value}`).toBeGreaterThan(0)
      }
    }
    await rm(planted, { recursive: true, force: true })
    mkdirSync(planted)
    const long = `${'x'.repeat(9000)} ${CANARIES.name} ${'y'.repeat(9000)}`
    const db = new DatabaseSync(join(planted, 'pages.sqlite'))
    db.exec(`PRAGMA page_size = 512; CREATE TABLE t (a TEXT, b BLOB)`)
    db.prepare('INSERT INTO t VALUES (?, ?)').run(long, Buffer.from(long))
    db.close()
    writeFileSync(join(planted, 'packed.gz'), gzipSync(long))
    execFileSync('git', ['init', '-q', '--bare', join(planted, 'repo.git')])
    execFileSync('git', ['--git-dir', join(planted, 'repo.git'), 'hash-object', '-w', '--stdin'], { input: long })
    await differencesToParquet(differences(planted, long), join(planted, 'd.parquet'), long.length + 100)
    writeFileSync(join(planted, 'token QX2.txt'), '')
    const packed = await sightings(planted, { name: CANARIES.name, 'a file’s name': 'token QX2' })
    expect([...new Set(packed.found.map(({ file }) => file))].toSorted()).toEqual(
      ['d.jsonl', 'd.parquet', 'packed.gz', 'pages.sqlite', 'repo.git (objects)', 'token QX2.txt'].toSorted(),
    )
    await rm(planted, { recursive: true, force: true })
    for (const file of looked.filter((each) => !each.endsWith('(objects)'))) {
      mkdirSync(planted, { recursive: true })
      const copy = join(planted, 'f')
      writeFileSync(copy, readFileSync(join(place('clean'), file)), { mode: 0o600 })
      if (!file.endsWith('.sqlite')) appendFileSync(copy, Buffer.from(`\n${CANARIES.token}`))
      else appendFileSync(copy, CANARIES.token)
      expect((await sightings(planted, { token: CANARIES.token })).found, file).not.toEqual([])
      await rm(planted, { recursive: true, force: true })
    }
  })

  it('that finds rows tampered with names none of them', { timeout: LONG }, async () => {
    await emptied()
    const { project, terminal } = await migrate(place('corrupted'), specOf('corrupted', SPEC_TABLES), env, {
      before: async (worker) => {
        if (worker !== 'hash-segments') return
        await runSql(
          target.url,
          `UPDATE moved.person SET name = ${of('corrupted into')} WHERE id = 77; DELETE FROM moved.login WHERE email = ${of('another key')};
           DELETE FROM moved.visit WHERE ctid = (SELECT min(ctid) FROM moved.visit WHERE who = 'w3');
           INSERT INTO moved.visit VALUES (${of('corrupted into')}, '2026-01-01'); UPDATE moved.login SET token = 'y' WHERE email = ${of('email')};
           COMMENT ON COLUMN moved.person.note IS ${of('corrupted into')}; ALTER TABLE moved.person ALTER name SET DEFAULT ${of('corrupted into')}`,
        )
      },
    })
    expect(project.state, terminal).toBe('ROLLED_BACK')
    await nothingIn('corrupted')
  })
})

/** One line of differences with a long value in it. */
function differences(folder: string, value: string): string {
  const line = {
    source: 'a',
    target: 'b',
    kind: 'extra',
    segment: 0,
    key: [{ column: 'id', value }],
    columns: [],
    source_count: '0',
    target_count: '1',
  }
  writeFileSync(join(folder, 'd.jsonl'), `${JSON.stringify(line)}\n`)
  return join(folder, 'd.jsonl')
}

type Failing = {
  what: string
  says: RegExp
  tables?: string[]
  env?: Record<string, string>
  at?: string
  sql?: string
  on?: 'source' | 'target'
  undo?: string
}
const PERSON = [SPEC_TABLES[0]!]
const FAILING: Failing[] = [
  {
    what: 'a password that is wrong',
    says: /PERMISSION_DENIED {2}.*password authentication failed/,
    env: { SOURCE: 'password of the target' },
  },
  {
    what: 'a check that quotes the row',
    says: /CONFLICT {2}.*SQLSTATE 23514.*constraint "person_name_check"/,
    at: 'copy-chunk',
    sql: `ALTER TABLE moved.person ADD CHECK (name <> ${of('name')})`,
  },
  {
    what: 'a unique index that quotes the key',
    says: /CONFLICT {2}.*SQLSTATE 23505.*constraint "person_case_idx"/,
    at: 'copy-chunk',
    sql: `CREATE UNIQUE INDEX ON moved.person ((CASE WHEN id IN (77, 78) THEN ${of('name')} END))`,
  },
  {
    what: 'COPY quoting its line',
    says: /NOT_REPRESENTABLE {2}.*SQLSTATE 22001/,
    at: 'copy-chunk',
    sql: 'ALTER TABLE moved.person ALTER note TYPE varchar(9)',
  },
  {
    what: 'a trigger that says what it likes',
    says: /PERMISSION_DENIED {2}.*SQLSTATE 42501/,
    at: 'copy-chunk',
    sql: `CREATE FUNCTION moved.complain() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            RAISE EXCEPTION '% of %', ${of('raised by a trigger')}, NEW.name USING ERRCODE = '42501', DETAIL = NEW.email, HINT = NEW.note; END $$;
          CREATE TRIGGER complains BEFORE INSERT ON moved.person FOR EACH ROW WHEN (NEW.id = 77) EXECUTE FUNCTION moved.complain()`,
  },
  {
    what: 'text that is no number',
    says: /NOT_REPRESENTABLE {2}.*SQLSTATE 22P02/,
    tables: [
      '{ source: public.login, target: { schema: moved, name: login }, columns: [{ target: email, source: [email], type: text, pii: false }, { target: token, source: [token], type: bigint, transform: { kind: cast } }] }',
    ],
  },
  {
    what: 'a table that went away',
    says: /HOLD {2}.*could not be decided/,
    at: 'hash-segments',
    sql: 'ALTER TABLE moved.person RENAME TO gone',
  },
  {
    what: 'a column that cannot be read',
    says: /PLAN_NOT_AUTHORISED {2}.*not declared as it was/,
    at: 'copy-chunk',
    on: 'source',
    sql: 'ALTER TABLE person RENAME note TO notes',
    undo: 'ALTER TABLE person RENAME notes TO note',
  },
]

describe('a migration that fails of', () => {
  it.each(FAILING)('$what leaves none of it behind', { timeout: LONG }, async ({ what, says, tables, env: other, at, sql, on, undo }) => {
    await emptied()
    const id = what.replaceAll(' ', '-')
    let done = false
    const changed = Object.fromEntries(
      Object.entries(other ?? {}).map(([name, value]) => [
        name,
        env[name]!.replace(/:[^:@/]+@/, `:${encodeURIComponent(CANARIES[value as keyof typeof CANARIES])}@`),
      ]),
    )
    const { project, terminal } = await migrate(
      place(id),
      specOf(id, tables ?? PERSON),
      { ...env, ...changed },
      {
        before: async (worker) => {
          if (worker !== at || done || sql === undefined) return
          done = true
          await runSql(on === 'source' ? source.url : target.url, sql)
        },
      },
    ).finally(() => (undo === undefined ? undefined : runSql(source.url, undo)))
    expect(project.state, terminal).not.toBe('EVIDENCE_COMPLETE')
    expect(terminal).toMatch(says)
    await nothingIn(id)
  })
})

describe('a comparison', () => {
  it('leaves none of it in what it writes, or prints when it is told to mask', { timeout: LONG }, async () => {
    const out = place('compare')
    mkdirSync(out)
    const other = await freshDatabase()
    try {
      await runSql(other.url, TABLES)
      await runSql(
        other.url,
        `UPDATE person SET name = ${of('corrupted into')}, note = NULL WHERE id IN (77, 78); DELETE FROM login WHERE email = ${of('another key')};
         INSERT INTO login VALUES (${of('token')}, ${of('token')}); INSERT INTO visit VALUES (${of('row without a key')}, '2026-02-02');
         COMMENT ON COLUMN person.note IS 'other'; COMMENT ON TABLE person IS NULL; ALTER TABLE person ALTER name SET DEFAULT 'other', ALTER number SET DEFAULT 1;
         ALTER TYPE mood RENAME VALUE ${of('label')} TO 'other'; DROP INDEX person_by_note; CREATE INDEX person_by_note ON person (id) WHERE note = 'other';
         ALTER TABLE person DROP CONSTRAINT person_note_check; ALTER TABLE person ALTER made SET EXPRESSION AS (coalesce(name, 'other'))`,
      )
      const files = ['--differences', 'd.jsonl', '--html', 'p.html', '--junit', 'j.xml'].map((word, i) =>
        i % 2 === 0 ? word : join(out, word),
      )
      const runs = [
        [...files, '--mask'],
        ['--json', '--differences', join(out, 'd.parquet'), '--order-key', 'id', '--table', 'public.person'],
        ['--json', '--schema-only', '--html', join(out, 's.html')],
        ['--mask', '--schema-only'],
        ['--json', '--aggregates-only'],
        ['--json', '--sample', '100'],
        ['--mask', '--table', 'public.person', '--state', join(out, 'state')],
        ['--json', '--estimate'],
        ['--mask', '--table', 'public.none'],
      ]
      for (const [at, args] of runs.entries()) {
        const result = await waybill(['compare', env.SOURCE!, other.url, ...args])
        expect([0, 1, 2]).toContain(result.code)
        writeFileSync(join(out, `terminal-${at}.txt`), `${result.out}\n${result.err}`)
      }
      const looked = await nothingIn('compare')
      for (const name of ['d.jsonl', 'd.parquet', 'p.html', 's.html', 'j.xml']) expect(looked).toContain(name)
      expect(readFileSync(join(out, 'd.parquet')).length).toBeGreaterThan(100)
    } finally {
      await other.drop()
    }
  })
})
