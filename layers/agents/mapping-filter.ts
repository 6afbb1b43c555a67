import { visible } from '../core/approval-page/visible-text.ts'
import type { CatalogTable, TableProfile } from '../core/schemas/catalog.ts'
import type { RowFilter } from '../core/schemas/spec.ts'
import { type DecisionDesk, questionId, REVISE_CHOICE } from './decision-desk.ts'

export type FilterAsk = { tableId: string; object: string; filter: RowFilter | null; table: CatalogTable; profile: TableProfile | null }

/**
 * NULL satisfies no comparison: `state not_in [PR]` also leaves out every row without a state. Where the column holds NULLs, or may hold them
 * and was not measured, a person confirms that this is meant.
 */
export function settleFilter(ask: FilterAsk, desk: DecisionDesk): RowFilter | null {
  const asked = new Set<string>()
  for (const term of ask.filter?.all ?? []) {
    if (term.op !== 'ne' && term.op !== 'not_in') continue
    const column = ask.table.columns.find((candidate) => candidate.name === term.column)
    const nulls = ask.profile?.columns.find((candidate) => candidate.name === term.column)?.nulls
    const mayHold = nulls === undefined ? (column?.nullable ?? true) : nulls !== '0'
    if (!mayHold || asked.has(term.column)) continue
    asked.add(term.column)
    desk.ask({
      decision_id: questionId('filter-nulls', ask.tableId, [term.column]),
      where: visible(`${ask.object}.${term.column}`, 500),
      question: `The filter on "${visible(term.column, 80)}" leaves out every row that has no value there. Is that meant?`,
      why:
        nulls === undefined
          ? 'The column may hold NULL and was not profiled; NULL satisfies no comparison.'
          : `${nulls} rows have NULL there, and NULL satisfies no comparison.`,
      choices: [
        { choice: 'leave-out', label: 'Yes, leave them out', consequence: 'Rows with NULL in this column stay behind.' },
        REVISE_CHOICE,
      ],
    })
  }
  return ask.filter
}
