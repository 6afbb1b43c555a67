import type { ReconcileOptions } from '../../core/connector.ts'
import type { TableResult } from '../../core/schemas/recon.ts'
import type { RowColumn, WireKind } from './row-column.ts'
import { isSnapshot, type OpenSides, type SnapshotSide } from './snapshot.ts'
import type { TableFacts } from './table-facts.ts'
import type { TablePlan } from './table-plan.ts'

type Aggregate = TableResult['aggregates'][number]
type Kind = Aggregate['kind']
/** `wire` null: held to a tolerance, so that its sums and edges may differ and only its NULLs are one figure. */
type Counted = Pick<RowColumn, 'name' | 'source' | 'target'> & { wire: WireKind | null }
type Figures = { column: string; kind: Kind; value: string | null }[]

/** Sums of floats depend on the order of adding, so there is none that two sides could be held to. */
const SUMMED: readonly WireKind[] = ['int2', 'int4', 'int8', 'numeric']
const EDGED: readonly WireKind[] = [
  'date',
  'float4',
  'float8',
  'int2',
  'int4',
  'int8',
  'interval',
  'numeric',
  'time',
  'timestamp',
  'timestamptz',
  'utf8',
]

/**
 * Exact figures per column. Where the rows of both sides were proven equal, one side's figures are the other's. Without
 * `options.aggregates` only the NULLs of columns that the plan allows none in; no scan where a validated constraint forbids them.
 */
export async function tableAggregates(
  sides: OpenSides,
  plan: TablePlan,
  facts: { target: TableFacts },
  equal: boolean,
  options: ReconcileOptions,
): Promise<Aggregate[]> {
  const full = options.aggregates === true
  const columns: Counted[] = [...plan.columns, ...plan.tolerant.map((column) => ({ ...column, wire: null }))]
  const required = columns.filter((column) => plan.mapping.columns.some((mapped) => mapped.target === column.name && !mapped.nullable))
  const asked = full ? columns : required
  if (asked.length === 0) return []
  const forbidden = asked.every((column) => facts.target.columns.some((found) => found.name === column.name && found.notNull))
  const target: Figures =
    !full && forbidden
      ? asked.map((column) => ({ column: column.name, kind: 'nulls', value: '0' }))
      : await figures(sides.target, plan, asked, full)
  const source = equal ? target : isSnapshot(sides.source) ? await figures(sides.source, plan, asked, full) : null
  const shown = ({ kind, value }: Figures[number]) => (kind === 'min' || kind === 'max' ? options.mask(value) : value)
  return target.map((figure, i) => {
    const other = source?.[i]
    return {
      column: figure.column,
      kind: figure.kind,
      source: other === undefined ? null : shown(other),
      target: shown(figure),
      verdict: other === undefined ? 'not-applicable' : other.value === figure.value ? 'pass' : 'fail',
    }
  })
}

async function figures(side: SnapshotSide, plan: TablePlan, columns: readonly Counted[], full: boolean): Promise<Figures> {
  const query = plan[side.side]
  const parts = columns.flatMap((column) => aggregatesOf(column, column[side.side], full))
  const where = query.where === null ? '' : ` WHERE ${query.where}`
  const [row] = await side.main.rows(`SELECT ${parts.map((part) => part.sql).join(', ')} FROM ${query.object} AS w${where}`)
  return parts.map((part, i) => ({ column: part.column, kind: part.kind, value: row?.[i] ?? null }))
}

function aggregatesOf(column: Counted, value: string, full: boolean): { column: string; kind: Kind; sql: string }[] {
  const make = (kind: Kind, sql: string) => ({ column: column.name, kind, sql })
  const nulls = make('nulls', `(count(*) - count(${value}))::text`)
  if (!full) return [nulls]
  const collate = column.wire === 'utf8' ? '::text COLLATE "C"' : ''
  return [
    make('count', `count(${value})::text`),
    nulls,
    ...(column.wire !== null && SUMMED.includes(column.wire) ? [make('sum', `trim_scale(sum((${value})::numeric))::text`)] : []),
    ...(column.wire !== null && EDGED.includes(column.wire)
      ? [make('min', `min((${value})${collate})::text`), make('max', `max((${value})${collate})::text`)]
      : []),
  ]
}
