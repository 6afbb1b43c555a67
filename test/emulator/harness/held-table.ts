import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'

/** A table that nobody else can read or write until it is released. */
export type HeldTable = {
  /** Resolves when somebody stands in line for it. */
  awaited(): Promise<void>
  release(): Promise<void>
}

/** Stops a worker in the middle of its work, for as long as a test needs. `table` with its schema. */
export async function holdTable(url: string, table: string): Promise<HeldTable> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query('BEGIN')
  await client.query(`LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE`)
  return {
    async awaited() {
      for (;;) {
        const { rows } = await client.query('SELECT 1 FROM pg_locks WHERE NOT granted AND relation = $1::regclass', [table])
        if (rows.length > 0) return
        await sleep(50)
      }
    },
    async release() {
      await client.query('ROLLBACK')
      await client.end()
    },
  }
}
