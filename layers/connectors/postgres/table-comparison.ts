import type { ReconcileOptions, ReconcileWork } from '../../core/connector.ts'
import { digestHeader } from '../../core/encoding/segment-digest.ts'
import { WaybillError } from '../../core/errors.ts'
import { schemaDifferences } from '../../core/schema-comparison/schema-differences.ts'
import type { Mismatch, SchemaDifference, TableResult, ToleranceResult } from '../../core/schemas/recon.ts'
import { toleranceSentences } from '../../core/tolerance/claim.ts'
import { objectText } from '../../core/unread-table.ts'
import { tableAggregates } from './aggregate.ts'
import { asker } from './ask.ts'
import { otherSide, tableSide } from './block-ranges.ts'
import { readCatalog } from './catalog.ts'
import { compareBucketed } from './compare-bucketed.ts'
import { type CompareInput, compareOrdered } from './compare-ordered.ts'
import { type Comparison, earlierWords } from './comparison.ts'
import { checkConditionCasts } from './condition-casts.ts'
import { DifferenceTally } from './difference-tally.ts'
import { fileColumns } from './file-columns.ts'
import { withoutIndexes } from './heap-scan.ts'
import { checkColumnsKnown } from './known-columns.ts'
import { firstAndLast, OrderWatch, orderingResult } from './ordering.ts'
import { differ } from './row-difference.ts'
import { isSnapshot, type OpenSides } from './snapshot.ts'
import { quoteQualified } from './sql.ts'
import { checkDefinitions } from './table-definition.ts'
import { type TableFacts, tableFacts } from './table-facts.ts'
import { canonicalColumns, nativeColumns, planTable, sourceObject, type TablePlan } from './table-plan.ts'
import { checkTolerances, digestedMapping, tolerantColumns } from './tolerance-column.ts'
import { compareTolerant } from './tolerance-pass.ts'
import { differenceWords, judge, judgeTolerances } from './verdict.ts'

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
  await checkDefinitions(sides, mapping)
  checkColumnsKnown(work, facts)
  const all = new DifferenceTally((mismatch) => options.onMismatch(mapping.table_id, mismatch))
  // With tolerances the second pass names the rows, and what the digests find is only counted.
  const exact = plan.tolerant.length === 0 ? all : new DifferenceTally(() => {})
  let rowsRead = 0n
  const orderColumn = plan.columns.findIndex((column) => column.name === mapping.order_key)
  const watch = orderColumn === -1 ? null : new OrderWatch(orderColumn, plan.keyWidth > 0)
  const plainDiffer = differ(plan.columns, plan.keyWidth, options.mask)
  const columns = plan.columns.map(({ name, type }) => ({ name, type }))
  const input = {
    plan,
    header: digestHeader({
      table_id: mapping.table_id,
      encoding: plan.encoding,
      version: 1,
      mode: plan.mode,
      columns,
      tolerances: work.recon.tolerances,
    }),
    make: watch === null ? plainDiffer : watch.watch(plainDiffer),
    emit: (mismatch: Mismatch, targetSegment?: number) => exact.add(mismatch, targetSegment),
    mask: options.mask,
    onRows: (rows: bigint) => {
      rowsRead += rows
      options.onProgress(mapping.table_id, rowsRead)
    },
    stop,
    // The pass over columns with a tolerance reads every row again, now: segments of earlier would not be of its moment.
    memory: plan.tolerant.length === 0 ? options.memory : undefined,
  }
  const snapshot = {
    source: isSnapshot(sides.source) ? sides.source.snapshot : await sides.source.snapshot(mapping),
    target: sides.target.snapshot,
  }
  const comparison = await compare(sides, plan, facts, input, options)
  const verdict = judge(comparison, exact)
  const tolerances = await compareTolerances(sides, plan, comparison, exact, all, options, stop)
  const equal = verdict.equal && all.changed === 0n
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
  const passed = equal && broken.length === 0
  const held = tolerances.length === 0 ? {} : { tolerances }
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
    missing: String(all.missing),
    extra: String(all.extra),
    changed: String(all.changed),
    mismatches: all.first,
    ...held,
    ...(comparison.earlier === undefined ? {} : { earlier_segments: comparison.earlier }),
    aggregates: await tableAggregates(sides, plan, facts, equal, options),
    ordering,
    schema_differences: differences,
    severity:
      all.missing + all.extra > 0n || comparison.sourceRows !== comparison.targetRows
        ? 'Critical'
        : all.changed > 0n
          ? 'Major'
          : unplanned.length > 0
            ? 'Minor'
            : null,
    verdict: passed ? 'pass' : 'fail',
    reasons: [
      ...differenceWords(all, verdict.differing, comparison.segmentsExpected),
      ...toleranceSentences({ ...held, verdict: passed ? 'pass' : 'fail' }),
      ...broken.map((difference) =>
        `${difference.where}: ${difference.kind.replace('_', ' ')} (${difference.source ?? '–'} → ${difference.target ?? '–'})`.slice(
          0,
          1000,
        ),
      ),
      ...(plan.modeReason === null ? [] : [plan.modeReason]),
      ...earlierWords(comparison),
    ],
    started_at: startedAt.toISOString(),
    finished_at: new Date().toISOString(),
  }
}

async function schemas(sides: OpenSides, { mapping, unplanned, rowsOnly }: ReconcileWork): Promise<SchemaDifference[]> {
  if (rowsOnly !== undefined) return []
  const [target] = (await readCatalog(asker(sides.target.main, 'reading the target catalog'), [mapping.target])).tables
  if (target === undefined) throw new WaybillError('NOT_FOUND', `The target has no table ${quoteQualified(mapping.target)}.`)
  if (!isSnapshot(sides.source)) return schemaDifferences({ source: null, target }, { mapping })
  const [source] = (await readCatalog(asker(sides.source.main, 'reading the source catalog'), [mapping.source])).tables
  if (source === undefined) throw new WaybillError('NOT_FOUND', `The source has no table ${sourceObject(mapping)}.`)
  return schemaDifferences({ source, target }, unplanned ?? { mapping })
}

/** The plan of one table pair as it would be compared now. @throws NOT_FOUND, PERMISSION_DENIED, NOT_REPRESENTABLE, BAD_INPUT */
export async function planned(
  sides: OpenSides,
  { mapping, recon, scope }: ReconcileWork,
): Promise<{ plan: TablePlan; facts: { source: TableFacts | null; target: TableFacts } }> {
  checkTolerances(mapping, recon.tolerances, isSnapshot(sides.source))
  const targetFacts = await tableFacts(sides.target.main, mapping.target, 'target')
  await checkConditionCasts(sides.target.main, 'target', targetFacts.oid, scope?.target_filter ?? null)
  if (!isSnapshot(sides.source)) {
    const canonical = canonicalColumns(mapping)
    const native = recon.encoding === 'native' ? await fileColumns(mapping, sides.source, sides.target.main) : null
    const encoded =
      native === null
        ? { encoding: 'canonical' as const, columns: canonical }
        : { encoding: 'native' as const, columns: native.columns, forms: native.forms }
    const plan = planTable({ mapping, recon, scope, ...encoded, tolerant: [], sourceFacts: null, targetFacts })
    return { plan, facts: { source: null, target: targetFacts } }
  }
  const sourceFacts = await tableFacts(sides.source.main, mapping.source, 'source')
  await checkConditionCasts(sides.source.main, 'source', sourceFacts.oid, mapping.filter)
  const [source, target] = [sides.source.main, sides.target.main]
  const columns = await nativeColumns(digestedMapping(mapping, recon.tolerances), source, target)
  const tolerant = await tolerantColumns(mapping, recon.tolerances, source, target)
  const plan = planTable({ mapping, recon, scope, encoding: 'native', columns, tolerant, sourceFacts, targetFacts })
  return { plan, facts: { source: sourceFacts, target: targetFacts } }
}

/** Empty where the plan has no tolerances. */
async function compareTolerances(
  sides: OpenSides,
  plan: TablePlan,
  comparison: Comparison,
  exact: DifferenceTally,
  all: DifferenceTally,
  options: ReconcileOptions,
  stop: () => void,
): Promise<ToleranceResult[]> {
  const { source, target } = sides
  if (plan.tolerant.length === 0 || !isSnapshot(source)) return []
  const emit = (mismatch: Mismatch, targetSegment?: number) => all.add(mismatch, targetSegment)
  const pass = await compareTolerant({ plan, source, target, comparison, exact, mask: options.mask, emit, stop })
  judgeTolerances(comparison, exact, pass, all)
  return pass.columns
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
  return withoutIndexes(scans, async () =>
    compareBucketed({
      ...input,
      source: isSnapshot(source) ? await tableSide(source, facts.source, plan) : otherSide(source, plan, options.signal),
      target: await tableSide(target, facts.target, plan),
    }),
  )
}
