import { basename, resolve } from 'node:path'
import { matchesGlob, pairByName, type TablePair } from '../../layers/core/comparison.ts'
import type { Comparison } from '../../layers/core/comparison-report/comparison.ts'
import type { ConnectorOptions, Connectors, TableRef } from '../../layers/core/connector.ts'
import { isWaybillError, WaybillError } from '../../layers/core/errors.ts'
import type { Catalog, CatalogTable } from '../../layers/core/schemas/catalog.ts'
import { type Reached, sameDatabase } from '../../layers/core/system-identity.ts'
import type { CompareRequest, TableChoice } from './request.ts'
import type { Side } from './side.ts'

export type Paired = { pairs: { pair: TablePair; choice: TableChoice | null }[]; problems: Comparison['problems'] }

/** `schema.name` where either part may be "quoted"; a bare name is in `public`. @throws BAD_INPUT */
export function parseTableName(text: string): TableRef {
  const match = /^(?:("(?:[^"]|"")+"|[^".=]+)\.)?("(?:[^"]|"")+"|[^".=]+)$/.exec(text.trim())
  if (match === null) throw new WaybillError('BAD_INPUT', `"${text}" is not a table name. Write schema.name, or "My Schema"."My Table".`)
  const plain = (part: string) => (part.startsWith('"') ? part.slice(1, -1).replaceAll('""', '"') : part)
  return { schema: match[1] === undefined ? 'public' : plain(match[1]), name: plain(match[2]!) }
}

/** Which table is held against which, from the catalogs of both sides. @throws NOT_FOUND, BAD_INPUT, CONNECTION_FAILED, PERMISSION_DENIED */
export async function pairTables(connectors: Connectors, request: CompareRequest, options: ConnectorOptions): Promise<Paired> {
  const systems: Reached[] = []
  const read = (side: 'source' | 'target', scope: readonly TableRef[]) =>
    catalogOf(connectors, request[side], { ...options, side }, scope, (reached) => systems.push(reached))
  if (request.source.systemType !== 'POSTGRESQL') return pairFiles(request, read)
  const paired = await pairDatabases(request, read)
  const [one, other] = systems
  const itself = paired.pairs.find(({ pair }) => nameOfTable(pair.source) === nameOfTable(pair.target))
  if (one !== undefined && other !== undefined && itself !== undefined && sameDatabase(one, other))
    throw new WaybillError(
      'BAD_INPUT',
      `Both sides are one and the same database, so ${nameOfTable(itself.pair.source)} would be compared with itself. Check the two connections, by whatever address they reach it.`,
    )
  return paired
}

async function pairDatabases(request: CompareRequest, read: Read): Promise<Paired> {
  if (request.tables.length > 0) {
    const named = request.tables.map((choice) => {
      const source = parseTableName(choice.source)
      return { choice, source, target: choice.target === null ? source : parseTableName(choice.target) }
    })
    const [source, target] = await both(
      read(
        'source',
        named.map((pair) => pair.source),
      ),
      read(
        'target',
        named.map((pair) => pair.target),
      ),
    )
    const pairs = named.map(({ choice, ...names }) => ({
      choice,
      pair: { source: find(source, names.source), target: find(target, names.target) },
    }))
    return { pairs, problems: [] }
  }
  const [source, target] = await both(read('source', []), read('target', []))
  const wanted = chosen(request)
  const matched = pairByName({ ...source, tables: source.tables.filter(wanted) }, { ...target, tables: target.tables.filter(wanted) })
  return {
    pairs: matched.pairs.map((pair) => ({ pair, choice: null })),
    problems: [
      ...matched.onlySource.map((table) => onlyOn('source', table)),
      ...matched.onlyTarget.map((table) => onlyOn('target', table)),
    ],
  }
}

type Read = (side: 'source' | 'target', scope: readonly TableRef[]) => Promise<Catalog>

/** Files of a folder are tables by their names: `flights.parquet` is public.flights, `sales/orders.parquet` or `sales/orders/year=…/…` is sales.orders. */
async function pairFiles(request: CompareRequest, read: Read): Promise<Paired> {
  const { pattern } = request.source
  if (pattern !== null) {
    const [choice, ...more] = request.tables
    if (choice === undefined || more.length > 0) {
      throw new WaybillError('BAD_INPUT', 'Name the one table of the target that these files are compared with: --table schema.name.')
    }
    const name = parseTableName(choice.target ?? choice.source)
    const [source, target] = await both(read('source', [{ schema: name.schema, name: pattern }]), read('target', [name]))
    return { pairs: [{ choice, pair: { source: source.tables[0]!, target: find(target, name) } }], problems: [] }
  }
  const named = request.tables.filter((choice) => choice.target !== null)
  const wanted = request.tables
    .filter((choice) => choice.target === null)
    .map((choice) => ({ choice, name: parseTableName(choice.source) }))
  const [all, target] = await both(
    read('source', []),
    read('target', request.tables.length === 0 ? [] : request.tables.map((choice) => parseTableName(choice.target ?? choice.source))),
  )
  const tables = all.tables.map((table) => ({ table, as: tableOfFile(table.name, request.source.url) }))
  refuseShared(
    tables.filter(({ as }) =>
      request.tables.length === 0 ? chosen(request)(as) : wanted.some(({ name }) => name.schema === as.schema && name.name === as.name),
    ),
  )
  const pairs: Paired['pairs'] = []
  for (const choice of named) {
    const name = parseTableName(choice.target!)
    const own = await read('source', [{ schema: name.schema, name: choice.source }])
    pairs.push({ choice, pair: { source: own.tables[0]!, target: find(target, name) } })
  }
  for (const { choice, name } of wanted) {
    const file = tables.find(({ as }) => as.schema === name.schema && as.name === name.name)
    if (file === undefined)
      throw new WaybillError('NOT_FOUND', `No file stands for ${name.schema}.${name.name}. Write --table FILE=${name.schema}.${name.name}.`)
    pairs.push({ choice, pair: { source: file.table, target: find(target, name) } })
  }
  if (request.tables.length > 0) return { pairs, problems: [] }
  const filter = chosen(request)
  const renamed = tables.map(({ table, as }) => ({ ...table, schema: as.schema, name: as.name, file: table })).filter(filter)
  const matched = pairByName({ ...all, tables: renamed }, { ...target, tables: target.tables.filter(filter) })
  const files = new Map(renamed.map((table) => [`${table.schema}\u0000${table.name}`, table.file]))
  return {
    pairs: matched.pairs.map((pair) => ({
      choice: null,
      pair: { source: files.get(`${pair.source.schema}\u0000${pair.source.name}`)!, target: pair.target },
    })),
    problems: [
      ...matched.onlySource.map((table) => onlyOn('source', table)),
      ...matched.onlyTarget.map((table) => onlyOn('target', table)),
    ],
  }
}

/** Two files for one table: taking either would leave the other's rows out of "equal". @throws BAD_INPUT */
function refuseShared(tables: readonly { table: CatalogTable; as: TableRef }[]): void {
  const first = new Map<string, string>()
  for (const { table, as } of tables) {
    const key = `${as.schema}.${as.name}`
    const other = first.get(key)
    if (other !== undefined)
      throw new WaybillError(
        'BAD_INPUT',
        `Both ${other} and ${table.name} stand for ${key}. Name the one that is meant, --table FILE=${key}, or give the sides as one file or one glob.`,
      )
    first.set(key, table.name)
  }
}

/** A folder partitioned by `name=value` folders is one table under its own name. */
function tableOfFile(path: string, folder: string): TableRef {
  const parts = path.replace(/\.(parquet|csv|json|ndjson|jsonl)$/i, '').split('/')
  const first = parts.findIndex((part) => /^[^=]+=\*$/.test(part))
  const names = first === -1 ? parts : parts.slice(0, first)
  return { schema: names.at(-2) ?? 'public', name: names.at(-1) ?? basename(resolve(folder)) }
}

/** The catalog of one side on a connection of its own. */
async function catalogOf(
  connectors: Connectors,
  side: Side,
  options: ConnectorOptions,
  scope: readonly TableRef[],
  onReached: (reached: Reached) => void,
): Promise<Catalog> {
  const source = await connectors.source(side.systemType, side.url, options)
  try {
    if (side.systemType === 'POSTGRESQL') onReached({ identity: await source.identity([]), running: (await source.running?.()) ?? null })
    return await source.catalog(scope)
  } catch (error) {
    if (!isWaybillError(error) || error.code !== 'NOT_FOUND') throw error
    const { message, details } = error
    throw new WaybillError('NOT_FOUND', `In the ${options.side}: ${message}`, { cause: error, details: details.length > 1 ? details : [] })
  } finally {
    await source.close()
  }
}

/** Both at once; both have ended before the first failure is thrown. */
async function both<A, B>(a: Promise<A>, b: Promise<B>): Promise<[A, B]> {
  const [left, right] = await Promise.allSettled([a, b])
  if (left.status === 'rejected') throw left.reason
  if (right.status === 'rejected') throw right.reason
  return [left.value, right.value]
}

const nameOfTable = (table: TableRef) => `${table.schema}.${table.name}`

function find(catalog: Catalog, ref: TableRef): CatalogTable {
  const table = catalog.tables.find((candidate) => candidate.schema === ref.schema && candidate.name === ref.name)
  if (table !== undefined) return table
  throw new WaybillError('NOT_FOUND', `There is no table ${ref.schema}.${ref.name} in ${catalog.database}, or this user may not see it.`)
}

function chosen({ include, exclude }: CompareRequest): (table: TableRef) => boolean {
  return (table) =>
    (include.length === 0 || include.some((glob) => matchesGlob(glob, table))) && !exclude.some((glob) => matchesGlob(glob, table))
}

function onlyOn(side: string, table: TableRef): Comparison['problems'][number] {
  return { table: `${table.schema}.${table.name}`, verdict: 'fail', what: `only the ${side} has this table` }
}
