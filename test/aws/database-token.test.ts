/** Databases whose users sign in with IAM: where the spec leads, what is signed, and that every connection asks anew and asks a verified server only. */
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { databaseToken, IAM_PASSWORD } from '../../layers/aws/database-token.ts'
import { secretsManagerSecrets } from '../../layers/aws/secrets.ts'
import { makePasswordsBy } from '../../layers/connectors/postgres/passwords.ts'
import { openSession } from '../../layers/connectors/postgres/session.ts'
import { startTlsServer, type TlsServer } from '../connectors/postgres/tls-server.ts'
import { runSql } from '../support/postgres.ts'

const secrets = (targetAccess: 'reader' | 'writer') =>
  secretsManagerSecrets({ client: new SecretsManagerClient({ region: 'eu-central-1' }), prefix: 'waybill/prod', targetAccess })

describe('aws-rds-iam://', () => {
  const HOST = 'orders.abc123.eu-central-1.rds.amazonaws.com:5432'

  it('names the user by side and role, demands a verified server, and holds no password', async () => {
    const url = (user: string) => `postgresql://${user}@${HOST}/orders?sslmode=verify-full&waybill_password=${IAM_PASSWORD}`
    expect(await secrets('reader').resolve(`aws-rds-iam://source/${HOST}/orders`)).toBe(url('waybill_source'))
    expect(await secrets('reader').resolve(`aws-rds-iam://target/${HOST}/orders`)).toBe(url('waybill_target_reader'))
    expect(await secrets('writer').resolve(`aws-rds-iam://target/${HOST}/orders`)).toBe(url('waybill_target_writer'))
    expect(await secrets('writer').resolve(`aws-rds-iam://source/${HOST}/orders`)).toBe(url('waybill_source'))
  })

  for (const hostile of [
    `aws-rds-iam://source/postgres@${HOST}/orders`,
    `aws-rds-iam://source/${HOST}/orders?sslmode=disable`,
    `aws-rds-iam://source/${HOST}/orders&user=postgres`,
    `aws-rds-iam://source/${HOST}/`,
    `aws-rds-iam://writer/${HOST}/orders`,
    'aws-rds-iam://source/orders.eu-central-1.rds.amazonaws.com/orders',
    'aws-rds-iam://source/%2Ftmp:5432/orders',
  ])
    it(`refuses ${hostile}`, async () => {
      await expect(secrets('writer').resolve(hostile)).rejects.toMatchObject({ code: 'PERMISSION_DENIED' })
    })
})

describe('the token', () => {
  const before = { ...process.env }
  afterEach(() => {
    for (const name of ['AWS_REGION', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']) {
      if (before[name] === undefined) delete process.env[name]
      else process.env[name] = before[name]
    }
  })

  it('is signed for one user of one server and 15 minutes, and does not hold the key', async () => {
    Object.assign(process.env, { AWS_REGION: 'eu-central-1', AWS_ACCESS_KEY_ID: 'AKIDTEST', AWS_SECRET_ACCESS_KEY: 'canary-access-key' })
    const token = await databaseToken({ host: 'db.example.com', port: 5433, user: 'waybill_source' })
    const url = new URL(`https://${token}`)
    expect(url.host).toBe('db.example.com:5433')
    expect(Object.fromEntries(url.searchParams)).toMatchObject({
      Action: 'connect',
      DBUser: 'waybill_source',
      'X-Amz-Expires': '900',
      'X-Amz-Credential': expect.stringMatching(/^AKIDTEST\/\d{8}\/eu-central-1\/rds-db\/aws4_request$/),
      'X-Amz-Signature': expect.stringMatching(/^[0-9a-f]{64}$/),
    })
    expect(token).not.toContain('canary')
  })
})

describe('a connection whose password is made', () => {
  let server: TlsServer
  let sent: string[] = []
  const SESSION = { readOnly: true, connectTimeoutMs: 10_000, statementTimeoutMs: 0, side: 'source' }
  const url = (sslmode: string) => {
    const parsed = new URL(server.url('old', `sslrootcert=${encodeURIComponent(server.ca)}&sslmode=${sslmode}&waybill_password=test-made`))
    parsed.username = 'made'
    parsed.password = ''
    return parsed.href
  }

  beforeAll(async () => {
    server = await startTlsServer(async (of) => {
      await runSql(of('postgres'), 'CREATE DATABASE old')
      await runSql(of('postgres'), "CREATE ROLE made LOGIN PASSWORD 'first'")
    })
    makePasswordsBy('test-made', async ({ host, port, user }) => {
      sent.push(`${user}@${host}:${port}`)
      return sent.length === 1 ? 'first' : 'second'
    })
  })
  afterAll(async () => {
    await server?.stop()
  })
  afterEach(() => {
    sent = []
  })

  it('asks anew for every connection: what was good for the first may be stale for the second', async () => {
    const whoAmI = async () => {
      const session = await openSession(url('verify-full'), SESSION)
      try {
        return await session.rows('SELECT current_user::text, ssl::text FROM pg_stat_ssl WHERE pid = pg_backend_pid()')
      } finally {
        await session.close()
      }
    }
    expect(await whoAmI()).toEqual([['made', 'true']])
    const superuser = server.url('postgres', `sslrootcert=${encodeURIComponent(server.ca)}`)
    const admin = await openSession(superuser, { ...SESSION, readOnly: false })
    await admin.run("ALTER ROLE made PASSWORD 'second'")
    await admin.close()
    expect(await whoAmI()).toEqual([['made', 'true']])
    const { host } = new URL(url('verify-full'))
    expect(sent).toEqual([`made@${host}`, `made@${host}`])
  })

  for (const mode of ['require', 'verify-ca', 'prefer', 'disable'])
    it(`is not made for sslmode=${mode}`, async () => {
      await expect(openSession(url(mode), SESSION)).rejects.toMatchObject({
        code: 'PERMISSION_DENIED',
        message: expect.stringContaining('verify-full only'),
      })
      expect(sent).toEqual([])
    })

  it('is refused where nobody makes such passwords', async () => {
    await expect(openSession(url('verify-full').replace('test-made', 'other'), SESSION)).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
    })
  })

  it('says so when none could be made', async () => {
    makePasswordsBy('broken', () => Promise.reject(new Error('canary')))
    const failing = openSession(url('verify-full').replace('test-made', 'broken'), SESSION)
    await expect(failing).rejects.toMatchObject({ code: 'PERMISSION_DENIED', message: expect.not.stringContaining('canary') })
  })
})
