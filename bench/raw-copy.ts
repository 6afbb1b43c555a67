import { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { from as copyFrom, to as copyTo } from 'pg-copy-streams'
import { withClient } from '../cli/demo/client.ts'

async function timed(work: () => Promise<void>): Promise<number> {
  const started = performance.now()
  await work()
  return performance.now() - started
}

const nowhere = () => new Writable({ write: (_chunk, _encoding, done) => done() })

/** Milliseconds to read all the tables of both sides at once with `COPY … TO STDOUT (FORMAT binary)`, thrown away: the practical limit of any full proof. */
export function copyOutBoth(source: { url: string; tables: string[] }, target: { url: string; tables: string[] }): Promise<number> {
  const side = (one: { url: string; tables: string[] }) =>
    withClient(one.url, async (client) => {
      for (const table of one.tables) await pipeline(client.query(copyTo(`COPY ${table} TO STDOUT (FORMAT binary)`)), nowhere())
    })
  return timed(async () => {
    await Promise.all([side(source), side(target)])
  })
}

/** Milliseconds of `COPY out | COPY in` of whole tables on one connection a side, into tables that are dropped afterwards. */
export function copyThrough(sourceUrl: string, targetUrl: string, tables: { name: string; columns: string }[]): Promise<number> {
  return withClient(targetUrl, async (target) => {
    await target.query('DROP SCHEMA IF EXISTS bench CASCADE')
    await target.query('CREATE SCHEMA bench')
    for (const [index, table] of tables.entries()) await target.query(`CREATE TABLE bench.t${index} (${table.columns})`)
    const elapsed = await timed(() =>
      withClient(sourceUrl, async (source) => {
        for (const [index, table] of tables.entries()) {
          await pipeline(
            source.query(copyTo(`COPY ${table.name} TO STDOUT (FORMAT binary)`)),
            target.query(copyFrom(`COPY bench.t${index} FROM STDIN (FORMAT binary)`)),
          )
        }
      }),
    )
    await target.query('DROP SCHEMA bench CASCADE')
    return elapsed
  })
}
