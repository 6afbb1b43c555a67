import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { inject } from 'vitest'

export type FreshDatabase = { url: string; drop(): Promise<void> }

/** The URL of another database (and user) on the server of this test run. */
export function serverUrl(database: string, user?: { name: string; password: string }): string {
  const url = new URL(inject('postgresUrl'))
  url.pathname = `/${encodeURIComponent(database)}`
  if (user !== undefined) {
    url.username = encodeURIComponent(user.name)
    url.password = encodeURIComponent(user.password)
  }
  return url.href
}

/** An empty database of its own for one test file; `drop` ends whoever is still connected. */
export async function freshDatabase(): Promise<FreshDatabase> {
  const name = `t_${randomBytes(8).toString('hex')}`
  await runSql(inject('postgresUrl'), `CREATE DATABASE ${name}`)
  return { url: serverUrl(name), drop: () => runSql(inject('postgresUrl'), `DROP DATABASE ${name} WITH (FORCE)`) }
}

/** Runs statements (separated by semicolons) on a connection of their own. */
export async function runSql(url: string, sql: string): Promise<void> {
  await withClient(url, async (client) => {
    await client.query(sql)
  })
}

export async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}
