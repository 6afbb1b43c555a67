import pg from 'pg'
import type { BenchTable } from './recon-tables.ts'

/** Below as many rows a segment that differs is fetched whole; above, it is cut into as many pieces. The peer's own defaults. */
const FETCH_ROWS = 16_384
const PIECES = 32

/** How values become text: by plain casts, or brought to one form for every database as the peer does it. */
export type PeerForm = 'plain' | 'normalised'

/**
 * What a peer does: pushes down, per segment and side, the sum of 60 bits of an MD5 of each row's text, and bisects where sums differ. Not a
 * proof (sums of truncated digests can agree); here for its speed. One connection a side, both sides at once. How many rows differ.
 */
export async function peerComparison(source: string, target: string, table: BenchTable, form: PeerForm): Promise<number> {
  const sides = [source, target].map((url) => new pg.Client({ connectionString: url }))
  await Promise.all(sides.map((client) => client.connect()))
  const texts = table.columns.map(({ name, type }) => textOf(name, type, form))
  const sum = `SELECT count(*) AS rows, sum(('x' || substring(md5(${rowText(texts)}), 18))::bit(60)::bigint) AS sum FROM public.${table.name}`
  const inside = (from: number, to: number) => ` WHERE ${table.key} > ${from} AND ${table.key} <= ${to}`
  let differing = 0
  const compare = async (from: number, to: number): Promise<void> => {
    const [a, b] = await Promise.all(sides.map(async (client) => (await client.query(sum + inside(from, to))).rows[0]))
    if (a.rows === b.rows && a.sum === b.sum) return
    if (to - from > FETCH_ROWS) {
      for (let i = 0; i < PIECES; i++)
        await compare(from + Math.floor((i * (to - from)) / PIECES), from + Math.floor(((i + 1) * (to - from)) / PIECES))
      return
    }
    const fetch = `SELECT ${texts.join(', ')} FROM public.${table.name}`
    const [left, right] = await Promise.all(
      sides.map(async (client) =>
        (await client.query({ text: fetch + inside(from, to), rowMode: 'array' })).rows.map((row) => JSON.stringify(row)),
      ),
    )
    const known = new Set(left)
    differing += right!.filter((row) => !known.has(row)).length
  }
  try {
    for (let i = 0; i < table.segments; i++) {
      await compare(Math.floor((i * table.rows) / table.segments), Math.floor(((i + 1) * table.rows) / table.segments))
    }
  } finally {
    await Promise.all(sides.map((client) => client.end()))
  }
  return differing
}

function rowText(texts: readonly string[]): string {
  return `concat(${texts.map((text) => `coalesce(${text}, '<null>')`).join(`, '|', `)})`
}

function textOf(name: string, type: string, form: PeerForm): string {
  if (form === 'plain') return `${name}::varchar`
  if (/^(timestamp|date)/.test(type)) return `to_char(${name}::timestamp(6), 'YYYY-mm-dd HH24:MI:SS.US')`
  const scale = /^numeric\(\d+,(\d+)\)$/.exec(type)?.[1] ?? (type === 'double precision' ? '13' : null)
  if (scale !== null) return `(${name}::decimal(38, ${scale}))::varchar`
  if (type === 'boolean') return `${name}::int::varchar`
  if (type === 'uuid') return `trim(${name}::varchar)`
  return `${name}::varchar`
}
