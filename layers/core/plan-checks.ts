import { canonicalJson } from './canonical-json.ts'
import { baseType } from './coercion.ts'
import { sha256 } from './digest.ts'
import type { Plan } from './schemas/plan.ts'
import type { TableMapping } from './schemas/proposal.ts'
import type { CheckRequest } from './schemas/spec.ts'
import { tableFinder } from './table-id.ts'

type PlannedCheck = Plan['checks'][number]

/**
 * The spec's checks, and those that every plan has: a row count for each table, orphans for each foreign key, and the exact sum of each
 * scaled column. A check of the spec on the same thing stands instead of an implied one. Tables are named by table id.
 */
export function planChecks(requested: readonly CheckRequest[], tables: readonly TableMapping[]): PlannedCheck[] {
  const find = tableFinder(tables.map((table) => table.target))
  const idOf = (name: string): string => tables[find(name) ?? -1]?.table_id ?? name
  const own = requested.map(
    (check): CheckRequest =>
      check.kind === 'foreign_key'
        ? { ...check, table: idOf(check.table), references: { ...check.references, table: idOf(check.references.table) } }
        : { ...check, table: idOf(check.table) },
  )
  const taken = new Set(own.map(subjectOf))
  const all = [...own, ...tables.flatMap(implied).filter((check) => !taken.has(subjectOf(check)))]
  const times = new Map<string, number>()
  return all.map((request) => {
    const id = checkId(request)
    const seen = (times.get(id) ?? 0) + 1
    times.set(id, seen)
    return { check_id: seen === 1 ? id : `${id.slice(0, 72)}-${seen}`, request }
  })
}

function implied(table: TableMapping): CheckRequest[] {
  return [
    { kind: 'row_count', table: table.table_id, severity: 'CRITICAL' },
    ...table.foreign_keys.map(
      (foreign): CheckRequest => ({
        kind: 'foreign_key',
        table: table.table_id,
        columns: foreign.columns,
        references: foreign.references,
        max_orphans: 0,
        // Orphans that a person chose to keep are reported, and do not fail the run.
        severity: foreign.enforcement === 'enforced' ? 'ERROR' : 'WARNING',
      }),
    ),
    ...table.columns
      .filter(
        (column) =>
          column.transform.kind === 'scale' && ['numeric', 'bigint', 'integer', 'smallint'].includes(baseType(column.target_type)),
      )
      .map((column): CheckRequest => ({ kind: 'sum', table: table.table_id, column: column.target, severity: 'CRITICAL' })),
  ]
}

/** What a check is about, severity and limits apart. */
function subjectOf(check: CheckRequest): string {
  switch (check.kind) {
    case 'row_count':
      return canonicalJson([check.kind, check.table])
    case 'foreign_key':
      return canonicalJson([check.kind, check.table, check.columns, check.references])
    case 'unique':
      return canonicalJson([check.kind, check.table, check.columns])
    default:
      return canonicalJson([check.kind, check.table, check.column])
  }
}

/** `foreign_key-flight-origin_iata`; names that are not slugs give a digest. */
function checkId(check: CheckRequest): string {
  const columns = 'columns' in check ? check.columns : 'column' in check ? [check.column] : []
  const plain = [check.kind, check.table, ...columns].join('-')
  if (/^[a-z0-9_-]{1,72}$/.test(plain)) return plain
  return `${check.kind}-${sha256(subjectOf(check)).slice(0, 32)}`
}
