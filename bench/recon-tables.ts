import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runSql } from './recon-database.ts'

export type BenchTable = {
  name: string
  rows: number
  key: string | null
  segments: number
  /** Column definitions; what a peer must know of each to normalise it. */
  columns: readonly { name: string; type: string }[]
  fill: (url: string) => Promise<void>
  /** Changes `n` rows scattered over the table. */
  change: (n: number) => string
  /** `equal, …` may cost at most this many times raw COPY; null where no figure was set. */
  equalTarget: number | null
  peerTarget: number | null
}

const columnsOf = (text: string) =>
  text.split(', ').map((column) => {
    const [name, ...type] = column.split(' ')
    return { name: name!, type: type.join(' ').replace(/ (PRIMARY KEY|NOT NULL)$/, '') }
  })

function generated(name: string, create: string, select: string, rows: number): (url: string) => Promise<void> {
  return (url) =>
    runSql(url, `CREATE TABLE public.${name} (${create}); INSERT INTO public.${name} SELECT ${select} FROM generate_series(1, ${rows}) g`)
}

const LEDGER =
  'id bigint PRIMARY KEY, a int, b int, c bigint, d numeric(18;4), e numeric(12;2), f timestamptz, g timestamp, h date, i text, j text, k text, l varchar(40), m uuid, n boolean, o double precision, p double precision, q smallint, r text, s text, t timestamptz, u int, v text'
const LEDGER_ROW = `g, g % 1000, g % 77, g::bigint * 1000003, g * 1.2345, g * 0.01, timestamptz '2024-01-01' + g * interval '1 second', timestamp '2020-01-01' + g * interval '1 minute', date '2020-01-01' + (g % 3000), 'customer ' || g, md5(g::text), CASE WHEN g % 3 = 0 THEN NULL ELSE 'EUR' END, 'ref-' || g, md5(g::text)::uuid, g % 2 = 0, g * 0.1, sqrt(g), g % 100, 'status', repeat('x', g % 30), timestamptz '2024-01-01', g % 5, 'note ' || (g % 1000)`
const ACCOUNTS = 'id int PRIMARY KEY, balance bigint, kind int, name text'
const PARCELS = 'code text PRIMARY KEY, weight int, sent timestamp, place text'
const READINGS = 'sensor int, at timestamptz, value double precision, unit text, note text'
const FLIGHTS = 'date timestamp NOT NULL, delay bigint NOT NULL, distance bigint NOT NULL, origin text NOT NULL, destination text NOT NULL'

/** Changes every row whose number is a multiple of the step, by its place on disk. */
const everyNth = (name: string, rows: number, set: string) => (n: number) =>
  `UPDATE public.${name} SET ${set} WHERE ctid IN (SELECT ctid FROM (SELECT ctid, row_number() OVER () AS row FROM public.${name}) AS x WHERE row % ${Math.floor(rows / n)} = ${Math.min(5, Math.floor(rows / n) - 1)})`

/** The tables, `scale` times as large as the figures are stated for. */
export function benchTables(scale: number): BenchTable[] {
  const rows = (n: number) => Math.round(n * scale)
  const table = (
    name: string,
    full: number,
    create: string,
    more: Pick<BenchTable, 'key' | 'segments' | 'fill' | 'equalTarget' | 'peerTarget'>,
    set: string,
  ): BenchTable => ({
    name,
    rows: rows(full),
    columns: columnsOf(create).map(({ name: column, type }) => ({ name: column, type: type.replace(';', ',') })),
    change: everyNth(name, rows(full), set),
    ...more,
  })
  return [
    table(
      'ledger',
      2_000_000,
      LEDGER,
      {
        key: 'id',
        segments: 1000,
        fill: generated('ledger', LEDGER.replaceAll(';', ','), LEDGER_ROW, rows(2_000_000)),
        equalTarget: 1.2,
        peerTarget: 3,
      },
      'a = a + 1',
    ),
    table(
      'accounts',
      5_000_000,
      ACCOUNTS,
      {
        key: 'id',
        segments: 1000,
        fill: generated('accounts', ACCOUNTS, `g, g::bigint * 7919 % 1000003, g % 9, 'acc' || (g % 100000)`, rows(5_000_000)),
        equalTarget: 1.5,
        peerTarget: 3.5,
      },
      'kind = kind + 1',
    ),
    table(
      'parcels',
      1_000_000,
      PARCELS,
      {
        key: 'code',
        segments: 1000,
        fill: generated(
          'parcels',
          PARCELS.replace('code text', 'code text COLLATE "C"'),
          `'P' || lpad(g::text, 9, '0'), g % 3000, timestamp '2020-01-01' + g * interval '1 minute', 'depot ' || (g % 500)`,
          rows(1_000_000),
        ),
        equalTarget: null,
        peerTarget: null,
      },
      'weight = weight + 1',
    ),
    table(
      'flights',
      3_000_000,
      FLIGHTS,
      { key: null, segments: 256, fill: (url) => flights(url, rows(3_000_000)), equalTarget: 3, peerTarget: null },
      'delay = delay + 1000',
    ),
    table(
      'readings',
      1_000_000,
      READINGS,
      {
        key: null,
        segments: 256,
        fill: generated(
          'readings',
          READINGS,
          `g % 500, timestamptz '2024-01-01' + g * interval '1 second', sqrt(g), 'kPa', 'reading number ' || g`,
          rows(1_000_000),
        ),
        equalTarget: 3,
        peerTarget: null,
      },
      'value = value + 1',
    ),
  ]
}

/** Real data: flights within the United States in 2001, without a key, exact duplicates among them. */
async function flights(url: string, limit: number): Promise<void> {
  await runSql(url, `CREATE TABLE public.flights (${FLIGHTS})`)
  // Only here: DuckDB's library would weigh on every process that is measured.
  const { loadFileIntoPostgres } = await import('../layers/connectors/duckdb/load.ts')
  const file = join(dirname(fileURLToPath(import.meta.resolve('vega-datasets'))), '..', 'data', 'flights-3m.parquet')
  await loadFileIntoPostgres(file, url, { schema: 'public', name: 'flights' }, { limit })
}
