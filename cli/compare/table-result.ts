import { sampleConfidence } from '../../layers/core/comparison-report/claim.ts'
import type { ReconcileWork } from '../../layers/core/connector.ts'
import { hashingSpecSha256 } from '../../layers/core/rulebooks.ts'
import { schemaDifferences } from '../../layers/core/schema-comparison/schema-differences.ts'
import type { SchemaDifference, TableResult } from '../../layers/core/schemas/recon.ts'
import { unreadTable } from '../../layers/core/unread-table.ts'
import type { Item } from './run.ts'

const WHOLE = 1_000_000

/** What `--schema-only` judges by, and what stands below a table whose rows are equal. */
const grave = ({ severity }: SchemaDifference) => severity !== 'INFO'

/** How the two tables are declared, without any plan: columns excluded on purpose are left out. */
export function schemaDifferencesOf({ pair, work }: Item): SchemaDifference[] {
  const compared = new Set(work.mapping.columns.map((column) => column.target))
  const gaps = new Set(work.gaps.map((gap) => gap.column))
  const used = new Set(work.mapping.columns.flatMap((column) => column.source))
  const rename = work.mapping.columns.flatMap((column) => (column.source[0] === column.target ? [] : [[column.target, column.source[0]!]]))
  const excluded = [
    ...pair.target.columns.map((column) => column.name).filter((name) => !compared.has(name) && !gaps.has(name)),
    ...pair.source.columns.map((column) => column.name).filter((name) => !used.has(name) && !gaps.has(name)),
  ]
  return schemaDifferences(pair, { rename: Object.fromEntries(rename), excludeColumns: excluded })
}

/** What the engine is asked: rows alone. The schemas are held against each other here, from the catalogs that the work was made of. */
export function rowsOnly({ pair, work: { gaps: _, ...work } }: Item): ReconcileWork {
  const used = {
    source: new Set(work.mapping.columns.flatMap((column) => column.source)),
    target: new Set(work.mapping.columns.map((column) => column.target)),
  }
  const known = (side: 'source' | 'target') => pair[side].columns.map((column) => column.name).filter((name) => !used[side].has(name))
  return { ...work, rowsOnly: { known: { source: known('source'), target: known('target') } } }
}

/** The engine's result with what only this command knows: columns that one side lacks, a sample that is no proof, the schemas. */
export function withFindings(item: Item, result: TableResult): TableResult {
  const { gaps, scope } = item.work
  const missing = gaps.map((gap) => `Column ${JSON.stringify(gap.column)} is only in the ${gap.only}; exclude it to compare the others.`)
  const reasons = [...missing, ...result.reasons.map(withoutPlan)]
  const schema_differences = schemaDifferencesOf(item)
  const severity = result.severity ?? (result.verdict === 'pass' && schema_differences.some(grave) ? 'Minor' : null)
  if (missing.length > 0) {
    return { ...result, schema_differences, reasons, verdict: 'fail', severity: result.severity ?? 'Critical' }
  }
  const rate = scope?.sample?.per_million ?? WHOLE
  if (result.verdict !== 'pass' || rate === WHOLE) return { ...result, schema_differences, severity, reasons }
  return {
    ...result,
    schema_differences,
    severity,
    verdict: 'inconclusive',
    reasons: [...reasons, sampleWords(rate, BigInt(result.source_rows))],
  }
}

/** There is no plan here that could name a cast; what a person can do is leave the column out. */
function withoutPlan(reason: string): string {
  return reason
    .replace(
      / ?Give it a cast in the plan, so that both sides have one type\.$/,
      ' Nothing is cast in a comparison: leave it out with --exclude-columns.',
    )
    .replace("Look at the column's type in the plan.", 'Look at the types of the columns on both sides.')
}

function sampleWords(rate: number, rows: bigint): string {
  const chance = (share: number) => `${(Math.floor(sampleConfidence(share, rows) * 10_000) / 100).toFixed(2)} %`
  return `No difference in a sample of ${rows} rows, ${rate / 10_000} % by key; one in 1 % of the rows would have been seen with ${chance(0.01)}, in 0.1 % with ${chance(0.001)}, in 0.01 % with ${chance(0.0001)} probability.`
}

/** A result without any row read: of schemas, or of figures. */
export function withoutRows(
  item: Item,
  differences: SchemaDifference[],
  aggregates: TableResult['aggregates'],
  more: Partial<TableResult> = {},
): TableResult {
  const now = new Date().toISOString()
  const unlike = differences.some(grave)
  return {
    ...unreadTable(item.work, hashingSpecSha256),
    method: 'push-down',
    aggregates,
    schema_differences: differences,
    severity: unlike ? 'Minor' : null,
    verdict: unlike ? 'fail' : 'pass',
    reasons: [],
    started_at: now,
    finished_at: now,
    ...more,
  }
}
