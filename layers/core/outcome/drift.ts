import type { SchemaChange } from '../schemas/outcome.ts'
import type { Distribution, TableResult } from '../schemas/recon.ts'
import type { OutcomeInput } from './assembly.ts'
import { unplannedDifferences } from './check-findings.ts'
import { countFigure, difference, type Figure, ratio, rounded, toScaled, unmeasured } from './figures.ts'

const NO_VERSION = 'the system keeps no version of its schema'

/** Rates of the two sides closer than this share count as aligned. */
const ALIGNED = 0.05

export function driftDraft(input: OutcomeInput, undecided: boolean) {
  const unplanned = unplannedDifferences(input.reconReport)
  const of = (...severities: string[]) => unplanned.filter(({ severity }) => severities.includes(severity)).length
  const [critical, warning, info] = [of('CRITICAL', 'ERROR'), of('WARNING'), of('INFO')]
  const status = undecided ? 'INCONCLUSIVE' : critical > 0 ? 'CRITICAL' : warning > 0 ? 'WARNING' : 'CLEAN'
  return {
    migration_id: input.migrationId,
    analysis_timestamp: input.now.getTime(),
    drift_summary: {
      total_drift_events: unplanned.length,
      critical_drift_events: critical,
      warning_drift_events: warning,
      info_drift_events: info,
      overall_drift_status: status as 'INCONCLUSIVE' | 'CRITICAL' | 'WARNING' | 'CLEAN',
    },
    schema_drift_analysis: schemaDrift(input.reconReport.tables),
    data_drift_analysis: dataDrift(input),
    temporal_drift_analysis: temporalDrift(input),
  }
}

const GROUPS = {
  column_added: 'column_additions',
  column_removed: 'column_removals',
  column_type: 'column_type_changes',
  constraint: 'constraint_changes',
  index: 'index_changes',
  partition: 'partition_changes',
} as const

function schemaDrift(tables: readonly TableResult[]) {
  const groups: Record<(typeof GROUPS)[keyof typeof GROUPS] | 'other_changes', SchemaChange[]> = {
    column_additions: [],
    column_removals: [],
    column_type_changes: [],
    constraint_changes: [],
    index_changes: [],
    partition_changes: [],
    other_changes: [],
  }
  for (const { kind, where, source, target, severity, planned } of tables.flatMap((table) => table.schema_differences)) {
    const group = Object.hasOwn(GROUPS, kind) ? GROUPS[kind as keyof typeof GROUPS] : 'other_changes'
    // A side that has nothing is left out rather than null: nothing there is a fact, not a figure that is missing.
    groups[group].push({ kind, where, ...(source === null ? {} : { source }), ...(target === null ? {} : { target }), severity, planned })
  }
  return {
    source_schema_version: unmeasured(NO_VERSION),
    target_schema_version: unmeasured(NO_VERSION),
    version_match: unmeasured(NO_VERSION),
    ...groups,
  }
}

function dataDrift({ checksReport, plan }: OutcomeInput) {
  const columns = checksReport.distributions
  const none = 'no distribution was measured'
  const ordered = plan.tables.filter((table) => table.order_key !== null)
  const only =
    ordered.length === 1
      ? columns.find((column) => column.table_id === ordered[0]!.table_id && column.column === ordered[0]!.order_key)
      : undefined
  const whyNot =
    ordered.length === 1
      ? 'the distribution of the order key was not measured'
      : 'figures stand per column: not exactly one table has an order key'
  const bound = (pick: (column: Distribution) => string | null): Figure<string> =>
    only ? (pick(only) ?? unmeasured(only.reason ?? 'the column has no values')) : unmeasured(whyNot)
  const total = (pick: (column: Distribution) => string | null): Figure<number | string> => {
    if (columns.length === 0) return unmeasured(none)
    const lacking = columns.find((column) => pick(column) === null)
    if (lacking) return unmeasured(`${lacking.table_id}.${lacking.column}: ${lacking.reason ?? 'not measured'}`)
    return countFigure(columns.reduce((sum, column) => sum + BigInt(pick(column)!), 0n))
  }
  const measured = columns.flatMap((column) => (column.kolmogorov_smirnov === null ? [] : [column.kolmogorov_smirnov]))
  const statistic = measured.length === 0 ? unmeasured(none) : Math.max(...measured)
  return {
    statistical_summary: {
      source_min_timestamp: bound((column) => column.source_min),
      source_max_timestamp: bound((column) => column.source_max),
      target_min_timestamp: bound((column) => column.target_min),
      target_max_timestamp: bound((column) => column.target_max),
      source_null_count: total((column) => column.source_nulls),
      target_null_count: total((column) => column.target_nulls),
      source_distinct_values: only ? counted(only.source_distinct, only) : unmeasured(whyNot),
      target_distinct_values: only ? counted(only.target_distinct, only) : unmeasured(whyNot),
    },
    distribution_analysis: {
      kolmogorov_smirnov_statistic: statistic,
      distribution_match: typeof statistic === 'number' ? statistic === 0 : statistic,
      outlier_count_source: total((column) => column.source_outliers),
      outlier_count_target: total((column) => column.target_outliers),
    },
    columns: columns.map((column) => ({
      table_id: column.table_id,
      column: column.column,
      kolmogorov_smirnov_statistic: column.kolmogorov_smirnov ?? because(column),
      source_min: column.source_min ?? because(column),
      source_max: column.source_max ?? because(column),
      target_min: column.target_min ?? because(column),
      target_max: column.target_max ?? because(column),
      source_nulls: counted(column.source_nulls, column),
      target_nulls: counted(column.target_nulls, column),
      source_distinct: counted(column.source_distinct, column),
      target_distinct: counted(column.target_distinct, column),
      source_outliers: counted(column.source_outliers, column),
      target_outliers: counted(column.target_outliers, column),
    })),
  }
}

function because(column: Distribution) {
  return unmeasured(column.reason ?? 'the column has no values to measure this on')
}

function counted(value: string | null, column: Distribution): Figure<number | string> {
  return value === null ? because(column) : countFigure(BigInt(value))
}

function temporalDrift({ checksReport }: OutcomeInput) {
  const rates = checksReport.ingestion
  const only = rates.length === 1 ? rates[0]! : undefined
  const why = unmeasured(
    only?.reason ??
      (rates.length === 0 ? 'no ingestion rate was measured' : 'several tables have an ingestion rate; there is no single one'),
  )
  const source = only?.source_rows_per_second ?? null
  const target = only?.target_rows_per_second ?? null
  const known = source !== null && target !== null
  const variance = known ? rateVariance(source, target) : null
  return {
    source_ingestion_rate_records_per_second: source === null ? why : rounded(source, 1),
    target_ingestion_rate_records_per_second: target === null ? why : rounded(target, 1),
    rate_variance: variance ?? why,
    temporal_alignment:
      variance === null ? why : variance === 0 ? ('PERFECT' as const) : variance < ALIGNED ? ('ALIGNED' as const) : ('DIVERGENT' as const),
  }
}

/** |a − b| ÷ max(a, b) of the rates as printed, rounded up to 6 decimals: only equal rates give 0. */
export function rateVariance(source: number, target: number): number {
  const [a, b] = [rounded(source, 1), rounded(target, 1)]
  const larger = toScaled(Math.max(a, b), 1)
  if (larger === 0n) return 0
  return ratio(toScaled(Math.abs(difference(a, b, 1)), 1), larger, 6, 'ceil')
}
