import type { ConnectorOptions, Connectors } from '../../layers/core/connector.ts'
import { isWaybillError, WaybillError } from '../../layers/core/errors.ts'
import type { ColumnMapping } from '../../layers/core/schemas/proposal.ts'
import type { CheckResult, ChecksReport, TableResult } from '../../layers/core/schemas/recon.ts'
import type { CheckRequest } from '../../layers/core/schemas/spec.ts'
import type { CompareRequest } from './request.ts'
import type { Item } from './run.ts'
import { schemaDifferencesOf, withoutRows } from './table-result.ts'

type Aggregate = TableResult['aggregates'][number]
const NUMBER = /^(smallint|integer|bigint|numeric|real|double precision|interval)/

/**
 * Counts, sums, NULLs, smallest and largest values on both sides. Figures that differ prove a difference; figures that agree prove nothing
 * about rows, so such a table stays inconclusive. @throws CONNECTION_FAILED, PERMISSION_DENIED, INTERRUPTED
 */
export async function compareAggregates(
  connectors: Connectors,
  request: CompareRequest,
  connector: ConnectorOptions,
  items: readonly Item[],
  keep: (item: Item, result: TableResult) => void,
): Promise<void> {
  const checker = await connectors.checker(request.source, request.target, connector)
  try {
    for (const item of items) {
      if (connector.signal.aborted) throw new WaybillError('INTERRUPTED', 'The comparison was interrupted.')
      keep(item, await aggregatesOf(item, checker))
    }
  } catch (error) {
    if (connector.signal.aborted) throw new WaybillError('INTERRUPTED', 'The comparison was interrupted.', { cause: error })
    throw error
  } finally {
    await checker.close()
  }
}

async function aggregatesOf(item: Item, checker: Awaited<ReturnType<Connectors['checker']>>): Promise<TableResult> {
  const { gaps } = item.work
  const mapping = { ...item.work.mapping, columns: item.work.mapping.columns.map(unrounded) }
  const table = mapping.target.name
  const sums = mapping.columns.filter((column) => NUMBER.test(column.target_type) && !column.target_type.endsWith('[]'))
  const checks: { check_id: string; request: CheckRequest }[] = [
    { check_id: 'rows', request: { kind: 'row_count', table, severity: 'CRITICAL' } },
    ...sums.map((column, i) => ({
      check_id: `sum-${i}`,
      request: { kind: 'sum' as const, table, column: column.target, severity: 'CRITICAL' as const },
    })),
  ]
  const startedAt = new Date().toISOString()
  const differences = schemaDifferencesOf(item)
  try {
    const report = await checker.run([mapping], checks)
    const [rows, ...totals] = report.checks
    const aggregates = [
      ...countOf(mapping.columns[0]!.target, rows!),
      ...totals.flatMap((check, i) => sumOf(sums[i]!.target, check)),
      ...report.distributions.flatMap(ofDistribution),
    ]
    const differing = aggregates.filter((aggregate) => aggregate.verdict === 'fail')
    const missing = gaps.map((gap) => `Column ${JSON.stringify(gap.column)} is only in the ${gap.only}.`)
    const failed = differing.length > 0 || missing.length > 0
    const unmeasured = report.checks
      .filter((check) => check.verdict === 'inconclusive')
      .map((check) => `${check.where}: ${check.explanation}`.slice(0, 1000))
    return withoutRows(item, differences, aggregates, {
      source_rows: rows?.figures.source_rows ?? '0',
      target_rows: rows?.figures.target_rows ?? '0',
      verdict: failed ? 'fail' : 'inconclusive',
      severity: failed ? 'Critical' : null,
      reasons: [
        ...missing,
        ...differing.map((a) => `${a.kind} of ${a.column} differs`),
        ...unmeasured,
        ...(failed ? [] : [`${aggregates.length} figures agree; rows were not compared.`]),
      ],
      started_at: startedAt,
      finished_at: new Date().toISOString(),
    })
  } catch (error) {
    if (!isWaybillError(error) || error.code === 'CONNECTION_FAILED' || error.code === 'INTERRUPTED') throw error
    return withoutRows(item, differences, [], {
      verdict: 'inconclusive',
      severity: null,
      reasons: [`${error.code}: ${error.message}`.slice(0, 1000)],
    })
  }
}

/** Figures of the source are taken over values of the target's type; where that would round them, both are numeric. */
function unrounded(column: ColumnMapping): ColumnMapping {
  const exact = /^(smallint|integer|bigint|numeric)/
  const [source = ''] = column.source_types
  return source !== column.target_type && exact.test(source) && exact.test(column.target_type)
    ? { ...column, target_type: 'numeric' }
    : column
}

/** A count belongs to the whole table; it stands under the first column because every aggregate names one. */
function countOf(column: string, check: CheckResult): Aggregate[] {
  const { source_rows: source, target_rows: target } = check.figures
  if (source == null || target == null) return []
  return [{ column, kind: 'count', source, target, verdict: source === target ? 'pass' : 'fail' }]
}

function sumOf(column: string, check: CheckResult): Aggregate[] {
  if (check.verdict === 'inconclusive' || check.verdict === 'not-applicable') return []
  const { source_sum: source = null, target_sum: target = null } = check.figures
  return [{ column, kind: 'sum', source, target, verdict: check.verdict }]
}

function ofDistribution(distribution: ChecksReport['distributions'][number]): Aggregate[] {
  const pair = (kind: Aggregate['kind'], source: string | null, target: string | null): Aggregate[] =>
    source === null && target === null
      ? []
      : [{ column: distribution.column, kind, source, target, verdict: source === target ? 'pass' : 'fail' }]
  return [
    ...pair('nulls', distribution.source_nulls, distribution.target_nulls),
    ...pair('min', distribution.source_min, distribution.target_min),
    ...pair('max', distribution.source_max, distribution.target_max),
  ]
}
