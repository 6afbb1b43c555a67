import { execFile } from 'node:child_process'
import { chmod, chown, copyFile, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { promisify } from 'node:util'
import { createServerIn, type PostgresServer } from '../../../cli/demo/postgres-server.ts'
import { withClient } from '../../support/postgres.ts'

const run = promisify(execFile)

export type TlsServer = {
  /** A URL with these words about TLS. The server's certificate is for 127.0.0.1 and no name. */
  url(database: string, words?: string, host?: string): string
  /** The CA that issued the certificate, and one that did not. */
  ca: string
  otherCa: string
  stop(): Promise<void>
}

/** A PostgreSQL of its own that admits nobody without TLS. `prepare` runs before that, on a plain connection. */
export async function startTlsServer(prepare: (url: PostgresServer['url']) => Promise<void>): Promise<TlsServer> {
  const folder = await mkdtemp(join(tmpdir(), 'waybill-tls-'))
  await chmod(folder, 0o755)
  const server = await createServerIn(join(folder, 'postgres'))
  const stop = async () => {
    await server.stop()
    await rm(folder, { recursive: true, force: true })
  }
  try {
    await prepare(server.url)
    const [ca, otherCa] = [await authority(folder, 'ca'), await authority(folder, 'other')]
    await issue(folder, 'IP:127.0.0.1')
    const { uid, gid } = await stat(server.dataDir)
    for (const name of ['server.key', 'server.crt']) {
      await copyFile(join(folder, name), join(server.dataDir, name))
      await chmod(join(server.dataDir, name), 0o600)
      await chown(join(server.dataDir, name), uid, gid)
    }
    await withClient(server.url('postgres'), async (client) => {
      await client.query('ALTER SYSTEM SET ssl = on')
      await writeFile(join(server.dataDir, 'pg_hba.conf'), 'hostssl all all 127.0.0.1/32 scram-sha-256\n')
      await client.query('SELECT pg_reload_conf()')
    })
    const url: TlsServer['url'] = (database, words = '', host = '127.0.0.1') =>
      `${server.url(database).replace('127.0.0.1', host)}${words === '' ? '' : `?${words}`}`
    await reloaded(url('postgres'))
    return { url, ca, otherCa, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** A reload is finished some time after it was asked for: until then plain connections are let in. */
async function reloaded(url: string): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    const admitted = await withClient(`${url}?sslmode=disable`, async () => true).catch(() => false)
    if (!admitted && (await withClient(`${url}?sslmode=no-verify`, async () => true).catch(() => false))) return
    await wait(50)
  }
  throw new Error('the server did not switch to TLS')
}

const openssl = (args: string[], cwd: string) => run('openssl', args, { cwd })
const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']

async function authority(folder: string, name: string): Promise<string> {
  const files = ['-keyout', `${name}.key`, '-out', `${name}.crt`]
  await openssl(['req', '-x509', ...NEW_KEY, ...files, '-days', '2', '-subj', `/CN=${name}`], folder)
  return join(folder, `${name}.crt`)
}

async function issue(folder: string, names: string): Promise<void> {
  await openssl(['req', ...NEW_KEY, '-keyout', 'server.key', '-out', 'server.csr', '-subj', '/CN=server'], folder)
  await writeFile(join(folder, 'names'), `subjectAltName=${names}`)
  const by = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-extfile', 'names']
  await openssl(['x509', '-req', '-in', 'server.csr', ...by, '-days', '2', '-out', 'server.crt'], folder)
}
