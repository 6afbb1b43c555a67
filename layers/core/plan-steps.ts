import type { PlanStep } from './schemas/plan.ts'
import type { TableMapping } from './schemas/proposal.ts'

/**
 * Every table is created, then copied, then given its key, then analysed, then its foreign keys: keys cost least on loaded tables, and a
 * foreign key needs the key it refers to. Within each round referenced tables come first.
 */
export function planSteps(tables: readonly TableMapping[]): PlanStep[] {
  const ordered = referencedFirst(tables)
  const round = (kind: PlanStep['kind'], wanted: (table: TableMapping) => boolean = () => true): PlanStep[] =>
    ordered.filter(wanted).map((table) => ({ step_id: `${kind.replaceAll('_', '-')}-${table.table_id}`, kind, table_id: table.table_id }))
  return [
    ...round('create_table'),
    ...round('copy_table'),
    ...round('add_keys', (table) => table.key !== null),
    ...round('analyze'),
    ...round('add_foreign_keys', (table) => table.foreign_keys.some((foreign) => foreign.enforcement !== 'none')),
  ]
}

/** Depth first over references; tables that refer to each other in a circle keep the order of the spec. */
export function referencedFirst(tables: readonly TableMapping[]): TableMapping[] {
  const byId = new Map(tables.map((table) => [table.table_id, table]))
  const entered = new Set<string>()
  const ordered: TableMapping[] = []
  for (const start of tables) {
    if (entered.has(start.table_id)) continue
    entered.add(start.table_id)
    // An explicit stack: a chain of ten thousand tables would exhaust the call stack.
    const stack = [{ table: start, next: 0 }]
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const reference = top.table.foreign_keys[top.next]?.references.table
      top.next += 1
      if (reference === undefined) {
        ordered.push(top.table)
        stack.pop()
        continue
      }
      const referenced = byId.get(reference)
      if (referenced === undefined || entered.has(reference)) continue
      entered.add(reference)
      stack.push({ table: referenced, next: 0 })
    }
  }
  return ordered
}
