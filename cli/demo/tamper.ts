import { withClient } from './client.ts'

/** One row of the target that was changed, deleted or duplicated behind Waybill's back. */
export type Tampering = { what: 'changed' | 'deleted' | 'duplicated'; table: string; row: Record<string, string | null> }

const COLUMNS = 'departed_at, delay, distance_miles, origin_iata, destination_iata, distance_km'
const AS_TEXT = COLUMNS.split(', ')
  .map((column) => `${column}::text AS ${column}`)
  .join(', ')

/**
 * Changes, deletes and duplicates `count` flights of the target, in turn, spread over the whole table.
 * Only rows without an exact copy are picked, so that each tampering is one nameable row.
 */
export function tamper(url: string, count: number): Promise<Tampering[]> {
  return withClient(url, async (client) => {
    // Texts as the reconciliation renders them.
    await client.query(`SET IntervalStyle = 'iso_8601'; SET TimeZone = 'UTC'; SET DateStyle = 'ISO'`)
    await client.query('BEGIN')
    const picked = await client.query<Record<string, string | null> & { at: string }>(
      `WITH single AS (
         SELECT min(ctid) AS at FROM aviation.flight GROUP BY ${COLUMNS} HAVING count(*) = 1),
       numbered AS (SELECT at, row_number() OVER (ORDER BY at) AS n, count(*) OVER () AS total FROM single)
       SELECT f.ctid::text AS at, ${AS_TEXT}
         FROM numbered JOIN aviation.flight f ON f.ctid = numbered.at
        WHERE n IN (SELECT (total * (2 * i - 1)) / (2 * $1) + 1 FROM generate_series(1, $1::bigint) AS i)
        ORDER BY n`,
      [count],
    )
    const done: Tampering[] = []
    for (const [index, { at, ...row }] of picked.rows.entries()) {
      const what = (['changed', 'deleted', 'duplicated'] as const)[index % 3]!
      if (what === 'changed')
        await client.query('UPDATE aviation.flight SET distance_miles = distance_miles + 1 WHERE ctid = $1::tid', [at])
      if (what === 'deleted') await client.query('DELETE FROM aviation.flight WHERE ctid = $1::tid', [at])
      if (what === 'duplicated') {
        await client.query(`INSERT INTO aviation.flight (${COLUMNS}) SELECT ${COLUMNS} FROM aviation.flight WHERE ctid = $1::tid`, [at])
      }
      done.push({ what, table: 'aviation.flight', row })
    }
    await client.query('COMMIT')
    return done
  })
}
