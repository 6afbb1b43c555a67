import type { ReconcileOptions, ReconcileWork } from '../../core/connector.ts'
import { digestHeader, sideRoot } from '../../core/encoding/segment-digest.ts'
import { isWaybillError, WaybillError } from '../../core/errors.ts'
import { schemaDifferences } from '../../core/schema-comparison/schema-differences.ts'
import type { TableMapping, TableRecon } from '../../core/schemas/proposal.ts'
import type { Mismatch, SchemaDifference, TableResult } from '../../core/schemas/recon.ts'
import { tableAggregates } from './aggregate.ts'
import { asker } from './ask.ts'
import { readCatalog } from './catalog.ts'
import { compareBucketed } from './compare-bucketed.ts'
import { type CompareInput, compareOrdered } from './compare-ordered.ts'
import type { Comparison } from './comparison.ts'
import { copyOut } from './copy-stream.ts'
import { withoutIndexes } from './heap-scan.ts'
import { firstAndLast, OrderWatch, orderingResult } from './ordering.ts'
import { differ } from './row-difference.ts'
import { isSnapshot, type OpenSides } from './snapshot.ts'
import { quoteQualified } from './sql.ts'
import { type TableFacts, tableFacts } from './table-facts.ts'
import { canonicalColumns, encodingOrder, nativeColumns, planTable, rowsSql, sourceObject, type TablePlan } from './table-plan.ts'

/** The first differences stand in the result itself; all of them went to `onMismatch`. */
const MISMATCHES_IN_RESULT = 1000

/** Compares one table pair. @throws what made it impossible to decide */
export async function compareTable(
  sides: OpenSides,
  work: ReconcileWork,
  options: ReconcileOptions,
  stop: () => void,
  startedAt: Date,
): Promise<TableResult> {
  const { mapping } = work
  const differences = await schemas(sides, work)
  const { plan, facts } = await planned(sides, work)
  const tally = new Tally(mapping.table_id, options)
  const orderColumn = plan.columns.findIndex((column) => column.name === mapping.order_key)
  const watch = orderColumn === -1 ? null : new OrderWatch(orderColumn, plan.keyWidth > 0)
  const plainDiffer = differ(plan.columns, plan.keyWidth, options.mask)
  const columns = plan.columns.map(({ name, type }) => ({ name, type }))
  const input = {
    plan,
    header: digestHeader({ table_id: mapping.table_id, encoding: plan.encoding, version: 1, mode: plan.mode, columns }),
    make: watch === null ? plainDiffer : watch.watch(plainDiffer),
    emit: (mismatch: Mismatch, targetSegment?: number) => tally.add(mismatch, targetSegment),
    mask: options.mask,
    onRows: (rows: bigint) => tally.progress(rows),
    stop,
  }
  const snapshot = {
    source: isSnapshot(sides.source) ? sides.source.snapshot : await sides.source.snapshot(mapping),
    target: sides.target.snapshot,
  }
  const comparison = await compare(sides, plan, facts, input, options)
  const verdict = judge(comparison, tally)
  const ordering =
    watch === null || mapping.order_key === null
      ? null
      : await (async () => {
          const target = await firstAndLast(sides.target.main, plan, 'target', orderColumn)
          // Equal multisets of rows have equal first and last values: the source need not be read for them again.
          const source =
            verdict.equal || !isSnapshot(sides.source) ? target : await firstAndLast(sides.source.main, plan, 'source', orderColumn)
          return orderingResult(mapping.order_key!, watch, source, target, options.mask)
        })()
  const unplanned = differences.filter((difference) => !difference.planned && difference.severity !== 'INFO')
  const broken = unplanned.filter((difference) => difference.severity !== 'WARNING')
  return {
    table_id: mapping.table_id,
    source_object: objectText(mapping.source),
    target_object: objectText(mapping.target),
    encoding: plan.encoding,
    mode: plan.mode,
    method: comparison.method,
    hashing_spec_sha256: options.hashingSpecSha256,
    columns,
    snapshot,
    source_rows: String(comparison.sourceRows),
    target_rows: String(comparison.targetRows),
    segments_expected: comparison.segmentsExpected,
    segments: comparison.segments,
    source_root: verdict.sourceRoot,
    target_root: verdict.targetRoot,
    missing: String(tally.missing),
    extra: String(tally.extra),
    changed: String(tally.changed),
    mismatches: tally.first,
    aggregates: await tableAggregates(sides, plan, facts, verdict.equal, options),
    ordering,
    schema_differences: differences,
    severity:
      tally.missing + tally.extra > 0n || comparison.sourceRows !== comparison.targetRows
        ? 'Critical'
        : tally.changed > 0n
          ? 'Major'
          : unplanned.length > 0
            ? 'Minor'
            : null,
    verdict: verdict.equal && broken.length === 0 ? 'pass' : 'fail',
    reasons: [
      ...verdict.reasons,
      ...broken.map((difference) =>
        `${difference.where}: ${difference.kind.replace('_', ' ')} (${difference.source ?? '–'} → ${difference.target ?? '–'})`.slice(
          0,
          1000,
        ),
      ),
      ...(plan.modeReason === null ? [] : [plan.modeReason]),
    ],
    started_at: startedAt.toISOString(),
    finished_at: new Date().toISOString(),
  }
}

/** The result of a table pair that could not be compared: never `pass`, and why in words. */
export function undecided(
  sides: OpenSides | null,
  mapping: TableMapping,
  recon: TableRecon,
  options: ReconcileOptions,
  error: unknown,
  startedAt: Date,
): TableResult {
  const reason = isWaybillError(error)
    ? `${error.code}: ${error.message}`
    : `The comparison stopped on an unexpected ${error instanceof Error ? error.name : 'failure'}${systemCode(error)}; nothing is concluded from it.`
  const empty = sideRoot([])
  return {
    table_id: mapping.table_id,
    source_object: objectText(mapping.source),
    target_object: objectText(mapping.target),
    encoding: recon.encoding,
    mode: recon.mode,
    method: 'stream',
    hashing_spec_sha256: options.hashingSpecSha256,
    columns: [],
    snapshot: {
      source: sides !== null && isSnapshot(sides.source) ? sides.source.snapshot : '',
      target: sides === null ? '' : sides.target.snapshot,
    },
    source_rows: '0',
    target_rows: '0',
    segments_expected: recon.segments,
    segments: [],
    source_root: empty,
    target_root: empty,
    missing: '0',
    extra: '0',
    changed: '0',
    mismatches: [],
    aggregates: [],
    ordering: null,
    schema_differences: [],
    severity: null,
    verdict: 'inconclusive',
    reasons: [reason.slice(0, 1000)],
    started_at: startedAt.toISOString(),
    finished_at: new Date().toISOString(),
  }
}

/** `ENOSPC` and its like name the cause without naming data. */
function systemCode(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' && /^E[A-Z]+$/.test(code) ? ` (${code})` : ''
}

function objectText(object: { schema: string; name: string }): string {
  return `${object.schema}.${object.name}`
}

async function schemas(sides: OpenSides, { mapping, unplanned }: ReconcileWork): Promise<SchemaDifference[]> {
  const [target] = (await readCatalog(asker(sides.target.main, 'reading the target catalog'), [mapping.target])).tables
  if (target === undefined) throw new WaybillError('NOT_FOUND', `The target has no table ${quoteQualified(mapping.target)}.`)
  if (!isSnapshot(sides.source)) return schemaDifferences({ source: null, target }, { mapping })
  const [source] = (await readCatalog(asker(sides.source.main, 'reading the source catalog'), [mapping.source])).tables
  if (source === undefined) throw new WaybillError('NOT_FOUND', `The source has no table ${sourceObject(mapping)}.`)
  return schemaDifferences({ source, target }, unplanned ?? { mapping })
}

async function planned(
  sides: OpenSides,
  { mapping, recon, scope }: ReconcileWork,
): Promise<{ plan: TablePlan; facts: { source: TableFacts | null; target: TableFacts } }> {
  const targetFacts = await tableFacts(sides.target.main, mapping.target, 'target')
  if (!isSnapshot(sides.source)) {
    const columns = canonicalColumns(mapping)
    const plan = planTable({ mapping, recon, scope, encoding: 'canonical', columns, sourceFacts: null, targetFacts })
    return { plan, facts: { source: null, target: targetFacts } }
  }
  const sourceFacts = await tableFacts(sides.source.main, mapping.source, 'source')
  const columns = await nativeColumns(mapping, sides.source.main, sides.target.main)
  const plan = planTable({ mapping, recon, scope, encoding: 'native', columns, sourceFacts, targetFacts })
  return { plan, facts: { source: sourceFacts, target: targetFacts } }
}

async function compare(
  sides: OpenSides,
  plan: TablePlan,
  facts: { source: TableFacts | null; target: TableFacts },
  input: CompareInput,
  options: ReconcileOptions,
): Promise<Comparison> {
  const { source, target } = sides
  if (plan.mode === 'ordered' && isSnapshot(source) && facts.source !== null) {
    return compareOrdered({ ...input, source, target, facts: facts.source, targetFacts: facts.target, method: options.method ?? 'auto' })
  }
  const scans = [[target.sessions, facts.target] as const]
  if (isSnapshot(source) && facts.source !== null) scans.push([source.sessions, facts.source])
  return withoutIndexes(scans, () =>
    compareBucketed({
      ...input,
      readSource: async () =>
        isSnapshot(source)
          ? copyOut(source.main, rowsSql(plan, 'source'), `reading the source table ${plan.source.object}`)
          : source.read({ ...plan.mapping, columns: [...encodingOrder(plan.mapping)] }, options.signal),
      readTarget: async () => copyOut(target.main, rowsSql(plan, 'target'), `reading the target table ${plan.target.object}`),
    }),
  )
}

type Judgement = { equal: boolean; sourceRoot: string; targetRoot: string; reasons: string[] }

/**
 * Equal needs all of it: every expected segment once, counts of the segments adding up to what was read, equal digests, equal roots, and no
 * named difference. Digests that differ without a difference found, or the other way round, are no verdict at all.
 */
function judge(comparison: Comparison, tally: Tally): Judgement {
  const { segments, segmentsExpected, sourceRows, targetRows } = comparison
  const broken = (what: string): never => {
    throw new WaybillError('SEGMENT_INCOMPLETE', `${what} Nothing is concluded; run the comparison again.`)
  }
  if (segments.length !== segmentsExpected || segments.some((segment, i) => segment.index !== i)) {
    broken(`${segments.length} of ${segmentsExpected} segments were completed.`)
  }
  const sum = (side: 'source_rows' | 'target_rows') => segments.reduce((rows, segment) => rows + BigInt(segment[side]), 0n)
  if (sum('source_rows') !== sourceRows || sum('target_rows') !== targetRows) broken('The segments do not hold as many rows as were read.')
  if (sourceRows - targetRows !== tally.missing - tally.extra) broken('The named differences do not explain the difference of the counts.')
  const root = (side: 'source' | 'target') =>
    sideRoot(
      segments.map((segment) => ({ index: segment.index, rows: BigInt(segment[`${side}_rows`]), sha256: segment[`${side}_sha256`] })),
    )
  const [sourceRoot, targetRoot] = [root('source'), root('target')]
  const differing = segments.filter((segment) => segment.source_sha256 !== segment.target_sha256)
  const named = tally.missing + tally.extra + tally.changed
  if (differing.length > 0 !== named > 0n || (sourceRoot === targetRoot) !== (differing.length === 0)) {
    broken('Digests and rows contradict each other.')
  }
  const unexplained = differing.find((segment) => !tally.segments.has(segment.index))
  if (unexplained !== undefined) broken(`Segment ${unexplained.index} differs, but no row in it does.`)
  if (named === 0n) return { equal: true, sourceRoot, targetRoot, reasons: [] }
  const words = [
    [tally.missing, 'missing'],
    [tally.extra, 'extra'],
    [tally.changed, 'changed'],
  ].flatMap(([rows, kind]) => ((rows as bigint) > 0n ? [`${rows} ${kind}`] : []))
  return {
    equal: false,
    sourceRoot,
    targetRoot,
    reasons: [`Rows differ: ${words.join(', ')}; ${differing.length} of ${segmentsExpected} segments.`],
  }
}

/** Counts differences as they come; remembers only the first. */
class Tally {
  missing = 0n
  extra = 0n
  changed = 0n
  readonly first: Mismatch[] = []
  readonly segments = new Set<number>()
  readonly #tableId: string
  readonly #options: ReconcileOptions
  #rows = 0n

  constructor(tableId: string, options: ReconcileOptions) {
    this.#tableId = tableId
    this.#options = options
  }

  add(mismatch: Mismatch, targetSegment = mismatch.segment): void {
    const surplus = BigInt(mismatch.source_count) - BigInt(mismatch.target_count)
    if (mismatch.kind === 'changed') this.changed++
    else if (surplus > 0n) this.missing += surplus
    else this.extra -= surplus
    this.segments.add(mismatch.segment).add(targetSegment)
    if (this.first.length < MISMATCHES_IN_RESULT) this.first.push(mismatch)
    this.#options.onMismatch(this.#tableId, mismatch)
  }

  progress(rows: bigint): void {
    this.#rows += rows
    this.#options.onProgress(this.#tableId, this.#rows)
  }
}
