import { digestOf } from '../../layers/core/canonical-json.ts'
import { type ComparisonWork, comparisonWork, type TablePair } from '../../layers/core/comparison.ts'
import { claimOf, verdictOf } from '../../layers/core/comparison-report/claim.ts'
import type { Comparison, ComparisonEstimate, EarlierTable } from '../../layers/core/comparison-report/comparison.ts'
import { estimateComparison } from '../../layers/core/comparison-report/estimate.ts'
import type {
  ConnectorOptions,
  Connectors,
  ReconcileOptions,
  RememberedBound,
  RememberedSegment,
  SegmentMemory,
} from '../../layers/core/connector.ts'
import { isWaybillError, WaybillError } from '../../layers/core/errors.ts'
import { hashingSpec } from '../../layers/core/rulebooks.ts'
import type { Mismatch, TableResult } from '../../layers/core/schemas/recon.ts'
import { compareAggregates } from './aggregates.ts'
import { raw } from './masking.ts'
import { isMirrored, mirrored } from './mirror.ts'
import { pairTables } from './pairs.ts'
import type { CompareRequest, TableChoice } from './request.ts'
import { withRowCounts } from './row-counts.ts'
import { tableIdentities } from './table-identity.ts'
import { rowsOnly, schemaDifferencesOf, withFindings, withoutRows } from './table-result.ts'

/** `identity`: a SHA-256 over which tables of which databases these are, where something of them is to be remembered. */
export type Item = { pair: TablePair; work: ComparisonWork; identity?: string }

export type Retry = Parameters<NonNullable<ReconcileOptions['onRetry']>>[1]

/** `SegmentMemory` by what is compared instead of by its number in this run. */
export type ItemSegments = {
  recall(item: Item, identity: string): ReturnType<SegmentMemory['recall']>
  begin(item: Item, identity: string, bounds: readonly RememberedBound[]): void
  remember(item: Item, segments: readonly RememberedSegment[]): void
}

/** What the caller learns while it runs. Values are as they are: masking is for whoever shows them. */
export type CompareEvents = {
  /** `settled`: tables of the result that are not read now. */
  onEstimate(estimate: ComparisonEstimate, items: readonly Item[], settled: number): void
  onProgress(item: Item, rows: bigint): void
  onMismatch(item: Item, mismatch: Mismatch): void
  onResult(item: Item, result: TableResult): void
  /** The connections of a table were lost; it is begun again after `waitMs`. */
  onRetry(item: Item, retry: Retry): void
  /** Reading waits because the source is slow, or goes on. */
  onPause(paused: boolean, milliseconds: number): void
  onSettling(item: Item, keysInMotion: number): void
  /** Where equal segments of a table outlive the process, or null. */
  segments: ItemSegments | null
  /** A table that an earlier run of the same comparison found equal, or null. */
  earlier(item: Item): EarlierTable | null
}

/**
 * Compares the tables asked for. A comparison of nothing is never equal; an interrupted one gives what it knows.
 * @throws NOT_FOUND, BAD_INPUT, CONNECTION_FAILED, PERMISSION_DENIED, INTERRUPTED before anything was compared
 */
export async function compare(
  connectors: Connectors,
  request: CompareRequest,
  connector: ConnectorOptions,
  events: CompareEvents,
): Promise<Comparison> {
  if (isMirrored(request)) return mirrored(request, events, (other, told) => compareSides(connectors, other, connector, told))
  return compareSides(connectors, request, connector, events)
}

async function compareSides(
  connectors: Connectors,
  request: CompareRequest,
  connector: ConnectorOptions,
  events: CompareEvents,
): Promise<Comparison> {
  const startedAt = new Date()
  const paired = await pairTables(connectors, request, connector)
  const { pairs, problems } = request.mode === 'sample' ? await withRowCounts(connectors, request, connector, paired) : paired
  const items: Item[] = []
  for (const [index, { pair, choice }] of pairs.entries()) {
    const own = choice?.options ?? {}
    const filter = [...(request.comparison.filter?.all ?? []), ...(own.filter?.all ?? [])]
    const options = { ...request.comparison, ...own, filter: filter.length === 0 ? null : { all: filter } }
    const work = comparisonWork(pair, `t${index + 1}`, options)
    if ('impossible' in work) problems.push({ table: nameOf(pair.target), verdict: 'inconclusive', what: work.impossible })
    else items.push({ pair, work })
  }
  if (items.length === 0 && problems.length === 0) {
    throw new WaybillError('NOT_FOUND', 'No table matches, so there is nothing to compare. Check the names, --include and --exclude.')
  }
  refuseUnknownExclusions(
    request,
    pairs.map(({ pair }) => pair),
  )
  refuseUnknownTolerances(
    request,
    pairs.map(({ pair }) => pair),
    pairs.map(({ choice }) => choice),
  )
  if (events.segments !== null) await identify(connectors, request, connector, items)
  const earlier = items.map((item) => events.earlier(item))
  const open = items.filter((_, i) => earlier[i] === null)
  const estimate = estimateComparison(open, request.connections)
  events.onEstimate(estimate, open, items.length - open.length + problems.length)
  const found = {
    earlier: earlier.filter((table) => table !== null),
    ...(request.estimateOnly ? { tables: [], interrupted: false } : await compareItems(connectors, request, connector, events, open)),
  }
  const tables = found.tables.length + found.earlier.length
  if (!request.estimateOnly && !found.interrupted && tables < items.length) {
    problems.push({ table: 'the comparison', verdict: 'inconclusive', what: `${items.length - tables} tables have no result` })
  }
  const judged = { ...found, problems, filter: [...request.filter] }
  const result: Omit<Comparison, 'claim'> = {
    schema: 'waybill/comparison/v1',
    mode: request.mode,
    source: request.source.label,
    target: request.target.label,
    verdict: request.estimateOnly ? 'inconclusive' : verdictOf(judged),
    masked: false,
    left_out: leftOut(request, items),
    sample: request.sample,
    estimate,
    started_at: startedAt.toISOString(),
    finished_at: new Date().toISOString(),
    ...judged,
  }
  return { ...result, claim: claimOf(result) }
}

/** Names alone do not say what an earlier run compared. */
async function identify(
  connectors: Connectors,
  request: CompareRequest,
  connector: ConnectorOptions,
  items: readonly Item[],
): Promise<void> {
  const of = (side: 'source' | 'target') =>
    tableIdentities(
      connectors,
      request[side],
      items.map(({ pair }) => pair[side]),
      { ...connector, side },
    )
  const [source, target] = [await of('source'), await of('target')]
  for (const [i, item] of items.entries()) item.identity = digestOf([source[i]!, target[i]!])
}

const columnsOf = ({ source, target }: TablePair) => new Set([...source.columns, ...target.columns].map((column) => column.name))

/** A name that excludes nothing is a mistake, and would leave a reader believing that something was excluded. @throws BAD_INPUT */
function refuseUnknownExclusions(request: CompareRequest, pairs: readonly TablePair[]): void {
  const known = new Set(pairs.flatMap((pair) => [...columnsOf(pair)]))
  const unknown = (request.comparison.excludeColumns ?? []).find((column) => !known.has(column))
  if (unknown !== undefined)
    throw new WaybillError('BAD_INPUT', `No table compared has a column "${unknown}" to exclude. Check the name; case counts.`)
}

/** @throws BAD_INPUT for a tolerance on a column that no table compared has */
function refuseUnknownTolerances(request: CompareRequest, pairs: readonly TablePair[], choices: readonly (TableChoice | null)[]): void {
  const columns = pairs.map((pair) => new Set(pair.target.columns.map((column) => column.name)))
  const refuse = (column: string) => {
    throw new WaybillError('BAD_INPUT', `No table compared has a column "${column}" to hold to a tolerance. Check the name; case counts.`)
  }
  for (const { column } of request.comparison.tolerances ?? []) if (!columns.some((names) => names.has(column))) refuse(column)
  for (const [i, choice] of choices.entries())
    for (const { column } of choice?.options.tolerances ?? []) if (!columns[i]!.has(column)) refuse(column)
}

/** In words, what a reader of "equal" might take to be compared and was not. */
function leftOut(request: CompareRequest, items: readonly Item[]): string[] {
  const columns = items.flatMap(({ pair, work }) => {
    const compared = new Set(work.mapping.columns.flatMap((column) => [column.target, ...column.source]))
    const missing = [...columnsOf(pair)].filter((column) => !compared.has(column))
    return missing.length === 0 ? [] : [`${missing.length === 1 ? 'column' : 'columns'} ${missing.join(', ')} of ${nameOf(pair.target)}`]
  })
  const filtered = request.tables.flatMap(({ source, target, options }) =>
    options.filter ? [`rows of ${target ?? source} that do not meet its own condition`] : [],
  )
  const tables = request.include.length + request.exclude.length > 0 ? ['tables that --include and --exclude leave out'] : []
  const kinds =
    request.tables.length === 0 && request.source.systemType === 'POSTGRESQL'
      ? [
          'views, materialized views and foreign tables, and the three tables in which Waybill marks its own migrations, unless named with --table',
        ]
      : []
  return [...columns, ...filtered, ...tables, ...kinds]
}

type Found = Pick<Comparison, 'tables' | 'interrupted'>

async function compareItems(
  connectors: Connectors,
  request: CompareRequest,
  connector: ConnectorOptions,
  events: CompareEvents,
  items: readonly Item[],
): Promise<Found> {
  const tables: TableResult[] = []
  const keep = (item: Item, result: TableResult) => {
    tables.push(result)
    events.onResult(item, result)
  }
  if (request.mode === 'schema') {
    for (const item of items) keep(item, withoutRows(item, schemaDifferencesOf(item), []))
    return { tables, interrupted: false }
  }
  try {
    if (request.mode === 'aggregates') {
      await compareAggregates(connectors, request, connector, items, keep)
    } else if (items.length > 0) await reconcile(connectors, request, connector, events, items, keep)
    return { tables, interrupted: false }
  } catch (error) {
    if (!isWaybillError(error) || error.code !== 'INTERRUPTED') throw error
    return { tables, interrupted: true }
  }
}

async function reconcile(
  connectors: Connectors,
  request: CompareRequest,
  connector: ConnectorOptions,
  events: CompareEvents,
  items: readonly Item[],
  keep: (item: Item, result: TableResult) => void,
): Promise<void> {
  const byId = new Map(items.map((item) => [item.work.mapping.table_id, item]))
  const reconciler = await connectors.reconciler(request.source, request.target, connector)
  try {
    await reconciler.reconcile(
      items.map((item) => rowsOnly(item)),
      {
        hashingSpecSha256: digestOf(hashingSpec),
        connections: request.connections,
        statementTimeoutMs: request.timeoutMs,
        mask: raw,
        onMismatch: (id, mismatch) => events.onMismatch(byId.get(id)!, mismatch),
        onProgress: (id, rows) => events.onProgress(byId.get(id)!, rows),
        onResult: (result) => {
          const item = byId.get(result.table_id)!
          keep(item, withFindings(item, result))
        },
        retries: request.retries,
        onRetry: (id, retry) => events.onRetry(byId.get(id)!, retry),
        throttle: request.throttle,
        onPause: (paused, milliseconds) => events.onPause(paused, milliseconds),
        ...(request.live === null ? {} : { live: request.live }),
        onSettling: (id, keys) => events.onSettling(byId.get(id)!, keys),
        ...(events.segments === null ? {} : { memory: memoryOf(events.segments, byId) }),
        signal: connector.signal,
      },
    )
  } finally {
    await reconciler.close()
  }
}

function memoryOf(segments: ItemSegments, byId: ReadonlyMap<string, Item>): SegmentMemory {
  return {
    recall: (id, identity) => segments.recall(byId.get(id)!, identity),
    begin: (id, identity, bounds) => segments.begin(byId.get(id)!, identity, bounds),
    remember: (id, found) => segments.remember(byId.get(id)!, found),
  }
}

export const nameOf = (table: { schema: string; name: string }) => `${table.schema}.${table.name}`
