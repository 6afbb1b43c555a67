import { createServer } from 'node:net'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { connectors } from '../../../layers/connectors/index.ts'
import { openSession } from '../../../layers/connectors/postgres/session.ts'
import { diallingOf, isLoopback, underTls } from '../../../layers/connectors/postgres/tls.ts'
import type { ConnectorOptions, TlsDemands } from '../../../layers/core/connector.ts'
import { runSql, withClient } from '../../support/postgres.ts'
import { optionsOf, reconOf } from './recon-fixture.ts'
import { chunksOf, column, OPTIONS, PLAN, table } from './table-mapping.ts'
import { startTlsServer, type TlsServer } from './tls-server.ts'

const REQUIRED: TlsDemands = { source: 'required', target: 'required', offAnywhere: false }
const OFF: TlsDemands = { source: 'off', target: 'off', offAnywhere: false }
const SESSION = { readOnly: true, connectTimeoutMs: 10_000, statementTimeoutMs: 0, side: 'source' }
const MANY = table('many', [column('id', 'integer', { nullable: false }), column('word', 'text')], { key: ['id'] })

let server: TlsServer
let options: ConnectorOptions

beforeAll(async () => {
  server = await startTlsServer(async (url) => {
    await runSql(url('postgres'), 'CREATE DATABASE old')
    await runSql(url('postgres'), 'CREATE DATABASE new')
    await runSql(
      url('old'),
      `CREATE TABLE many (id int PRIMARY KEY, word text); INSERT INTO many SELECT g, repeat(md5(g::text), g % 40) FROM generate_series(1, 30000) g;
       CREATE VIEW slow AS SELECT g AS id, CASE WHEN g > 50000 THEN pg_sleep(120)::text ELSE repeat('x', 40) END AS word FROM generate_series(1, 60000) g;`,
    )
  })
  options = { ...OPTIONS, tls: REQUIRED }
})

afterAll(async () => {
  await server?.stop()
})

const trusting = (database: string) => server.url(database, `sslrootcert=${encodeURIComponent(server.ca)}`)
const PG = (url: string) => ({ systemType: 'POSTGRESQL', url })

async function encrypted(url: string): Promise<string | null | undefined> {
  const session = await openSession(url, SESSION)
  try {
    return (await session.rows('SELECT ssl::text FROM pg_stat_ssl WHERE pid = pg_backend_pid()'))[0]?.[0]
  } finally {
    await session.close()
  }
}

describe('a plan that requires TLS, and a server that admits nothing else', () => {
  it('reads the catalog, copies, reconciles and checks under a trusted certificate', async () => {
    const [from, to] = [trusting('old'), trusting('new')]
    const source = await connectors.source('POSTGRESQL', from, options)
    const target = await connectors.target('POSTGRESQL', to, PG(from), options)
    try {
      const catalog = await source.catalog([{ schema: 'public', name: 'many' }])
      expect(catalog.tables.map((one) => one.name)).toEqual(['many'])
      await target.prepare(PLAN, [MANY])
      let rows = 0n
      for (const chunk of chunksOf(MANY, await source.chunks(MANY, 10_000))) {
        rows += BigInt((await target.copy(PLAN, MANY, chunk, () => {})).rows)
      }
      expect(rows).toBe(30_000n)
      await target.finish(PLAN, [MANY])
    } finally {
      await source.close()
      await target.close()
    }
    for (const method of ['stream', 'push-down'] as const) {
      const reconciler = await connectors.reconciler(PG(from), PG(to), options)
      const work = [{ mapping: MANY, recon: reconOf(MANY, {}) }]
      const [result] = await reconciler.reconcile(work, optionsOf({ connections: 2, aggregates: true, method }))
      await reconciler.close()
      expect(result).toMatchObject({ verdict: 'pass', source_rows: '30000', target_rows: '30000' })
    }
    await runSql(server.url('new', 'sslmode=no-verify'), `UPDATE moved.many SET word = 'other' WHERE id = 17`)
    const reconciler = await connectors.reconciler(PG(from), PG(to), options)
    let mismatches = 0
    const counted = optionsOf({ onMismatch: () => void mismatches++ })
    const [result] = await reconciler.reconcile([{ mapping: MANY, recon: reconOf(MANY, {}) }], counted)
    await reconciler.close()
    expect(result).toMatchObject({ verdict: 'fail' })
    expect(mismatches).toBe(1)
    const checker = await connectors.checker(PG(from), PG(to), options)
    const report = await checker.run([MANY], [{ check_id: 'n', request: { kind: 'row_count', table: 'many', severity: 'CRITICAL' } }])
    await checker.close()
    expect(report.checks[0]?.verdict).toBe('pass')
  })

  it('cancels what the server does for it, also under TLS, when it is interrupted', async () => {
    const stopping = new AbortController()
    const interruptible = { ...options, signal: stopping.signal }
    const slow = table('slow', MANY.columns)
    const target = await connectors.target('POSTGRESQL', trusting('new'), PG(trusting('old')), interruptible)
    await target.prepare('c'.repeat(64), [slow])
    const [chunk] = chunksOf(slow, [{ from: '0', to: null }])
    const copying = target.copy('c'.repeat(64), slow, chunk!, () => {})
    copying.catch(() => {})
    const running = () =>
      withClient(server.url('old', 'sslmode=no-verify'), async (client) => {
        const found = await client.query(`SELECT 1 FROM pg_stat_activity WHERE query LIKE 'COPY (SELECT%slow%' AND state = 'active'`)
        return found.rows.length
      })
    await expect.poll(running, { timeout: 20_000 }).toBe(1)
    stopping.abort()
    await expect(copying).rejects.toMatchObject({ code: 'INTERRUPTED' })
    await expect.poll(running, { timeout: 20_000 }).toBe(0)
    await target.close()
  })

  it('refuses a certificate of an unknown issuer, and says where to name the issuer', async () => {
    for (const words of ['', `sslrootcert=${encodeURIComponent(server.otherCa)}`, 'sslmode=require', 'sslmode=prefer', 'ssl=no-verify']) {
      const opening = connectors.source('POSTGRESQL', server.url('old', words), options)
      await expect(opening, words).rejects.toMatchObject({
        code: 'PERMISSION_DENIED',
        message: expect.stringMatching(/source server is not trusted.*sslrootcert=.*NODE_EXTRA_CA_CERTS/),
      })
    }
  })

  it('refuses a certificate for another name, and names the side', async () => {
    const elsewhere = server.url('old', `sslrootcert=${encodeURIComponent(server.ca)}`, 'localhost')
    await expect(connectors.source('POSTGRESQL', elsewhere, { ...options, side: 'target' })).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
      message: expect.stringMatching(/target server is for another host name/),
    })
  })

  it('refuses a server without TLS, whichever part connects', async () => {
    const plain = inject('postgresUrl')
    const wanted = { code: 'PERMISSION_DENIED', message: expect.stringMatching(/server has no TLS.*ssl = on/) }
    await expect(connectors.source('POSTGRESQL', plain, options)).rejects.toMatchObject(wanted)
    await expect(connectors.target('POSTGRESQL', plain, PG(plain), options)).rejects.toMatchObject(wanted)
    await expect(connectors.checker(PG(plain), PG(plain), options)).rejects.toMatchObject(wanted)
    const reconciler = await connectors.reconciler(PG(plain), PG(plain), options)
    await expect(reconciler.reconcile([{ mapping: MANY, recon: reconOf(MANY, {}) }], optionsOf())).rejects.toMatchObject(wanted)
    await reconciler.close()
  })

  it('refuses what could only be plain before a byte is sent', async () => {
    let reached = 0
    const listener = createServer((socket) => {
      reached += 1
      socket.destroy()
    })
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
    const { port } = listener.address() as { port: number }
    const url = `postgresql://me:secret@127.0.0.1:${port}/db`
    for (const bad of [`${url}?sslmode=disable`, `${url}?ssl=false`, `${url}?sslmode=verify-full&sslmode=disable`, `${url}?host=/tmp`]) {
      const refused = await connectors.source('POSTGRESQL', bad, options).catch((error: unknown) => error)
      expect(refused, bad).toMatchObject({ code: 'SPEC_INVALID', message: expect.stringMatching(/tls_enabled: false only if/) })
      expect(String(refused)).not.toContain('secret')
    }
    expect(reached).toBe(0)
    await new Promise((resolve) => listener.close(resolve))
  })
})

describe('a plan that switches TLS off', () => {
  it('connects plainly on this machine', async () => {
    const source = await connectors.source('POSTGRESQL', inject('postgresUrl'), { ...OPTIONS, tls: OFF })
    await source.close()
  })

  it.each(['db.example.org', '10.0.0.7', '0.0.0.0', '127.example.org', '127.1', '2130706433', '[fe80::1]', 'localhost.example.org'])(
    'is refused for %j, which is or may be another machine; nothing is looked up',
    (host) => {
      const url = `postgresql://me:secret@${host}/db`
      expect(() => underTls(url, OFF, 'target')).toThrow(/The target has tls_enabled: false.*this machine.*Nothing was sent/)
    },
  )

  it('is judged by the host the driver would go to', () => {
    const sneaky = 'postgresql://me@127.0.0.1/db?host=127.0.0.1&host=db.example.org'
    expect(() => underTls(sneaky, OFF, 'source')).toThrow(/allows only to a server on this machine/)
    expect(() => underTls('postgresql://me@127.0.0.1/db?hos%74=db.example.org', OFF, 'source')).toThrow(/on this machine/)
  })

  it('may be allowed elsewhere by the policy, and keeps a stricter word of the connection string', () => {
    const mode = (url: string, demands: TlsDemands) => new URL(underTls(url, demands, 'source')).searchParams.getAll('sslmode')
    expect(mode('postgresql://me@db.example.org/db', { ...OFF, offAnywhere: true })).toEqual(['disable'])
    expect(mode('postgresql://me@127.0.0.1/db?sslmode=require', OFF)).toEqual(['require'])
    expect(mode('postgresql://me@db.example.org/db?sslmode=verify-full', OFF)).toEqual(['verify-full'])
    expect(() => mode('postgresql://me@db.example.org/db?sslmode=require', OFF)).toThrow(/on this machine/)
    expect(mode('postgresql://me@127.0.0.1/db', OFF)).toEqual(['disable'])
    expect(mode('postgresql://me@127.0.0.1/db?sslmode=prefer&ssl=0', REQUIRED)).toEqual(['verify-full'])
  })

  it('knows this machine', () => {
    for (const host of ['127.0.0.1', '127.255.0.9', '::1', 'localhost', 'LOCALHOST', '/var/run/postgresql', '::ffff:127.0.0.1']) {
      expect(isLoopback(host), host).toBe(true)
    }
  })
})

describe('a connection string by itself, as psql reads it', () => {
  const ca = () => `sslrootcert=${encodeURIComponent(server.ca)}`

  it.each([
    ['', 'true'],
    ['sslmode=allow', 'true'],
    ['sslmode=prefer', 'true'],
    ['sslmode=require', 'true'],
    ['sslmode=no-verify', 'true'],
  ])('with %j reaches a server that insists on TLS', async (words, wanted) => {
    expect(await encrypted(server.url('old', words))).toBe(wanted)
  })

  it('with verify-ca and verify-full verifies', async () => {
    expect(await encrypted(server.url('old', `sslmode=verify-full&${ca()}`))).toBe('true')
    expect(await encrypted(server.url('old', `sslmode=verify-ca&${ca()}`, 'localhost'))).toBe('true')
    for (const words of ['sslmode=verify-ca', 'sslmode=verify-full', `sslmode=require&sslrootcert=${encodeURIComponent(server.otherCa)}`]) {
      await expect(encrypted(server.url('old', words)), words).rejects.toMatchObject({ message: expect.stringMatching(/not trusted/) })
    }
    await expect(encrypted(server.url('old', `sslmode=verify-full&${ca()}`, 'localhost'))).rejects.toThrow(/another host name/)
  })

  it('with disable is refused by such a server; a server without TLS is reached unless TLS is asked for', async () => {
    await expect(encrypted(server.url('old', 'sslmode=disable'))).rejects.toMatchObject({ code: 'PERMISSION_DENIED' })
    const plain = inject('postgresUrl')
    for (const words of ['', '?sslmode=disable', '?sslmode=allow', '?sslmode=prefer'])
      expect(await encrypted(`${plain}${words}`)).toBe('false')
    for (const words of ['?sslmode=require', '?sslmode=verify-full', '?ssl=true']) {
      await expect(encrypted(`${plain}${words}`), words).rejects.toThrow(/has no TLS/)
    }
  })

  it('prefers TLS to another machine, verified by nobody unless asked', () => {
    expect(diallingOf('postgresql://me@db.example.org/db', 'source').attempts).toEqual([{ rejectUnauthorized: false }, false])
  })

  it('with an unknown mode or an unreadable certificate is refused in words', async () => {
    await expect(encrypted('postgresql://me@127.0.0.1/db?sslmode=maybe')).rejects.toThrow(/unknown sslmode.*verify-full/)
    await expect(encrypted('postgresql://me@127.0.0.1/db?sslrootcert=/no/such.pem')).rejects.toThrow(
      /sslrootcert.*cannot be read \(ENOENT\)/,
    )
  })
})
