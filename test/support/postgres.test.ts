import { expect, it } from 'vitest'
import { freshDatabase, withClient } from './postgres.ts'

it('gives a database whose default collation is not byte order', async () => {
  const database = await freshDatabase()
  try {
    const rows = await withClient(database.url, (client) => client.query("SELECT 'a' < 'B' AS linguistic"))
    expect(rows.rows).toEqual([{ linguistic: true }])
  } finally {
    await database.drop()
  }
})
