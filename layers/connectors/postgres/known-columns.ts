import type { ReconcileWork } from '../../core/connector.ts'
import { WaybillError } from '../../core/errors.ts'
import type { TableFacts } from './table-facts.ts'

/** A column nobody knew of would be a column nobody compared. @throws SEGMENT_INCOMPLETE */
export function checkColumnsKnown({ mapping, rowsOnly }: ReconcileWork, facts: { source: TableFacts | null; target: TableFacts }): void {
  if (rowsOnly === undefined) return
  const compared = { source: mapping.columns.flatMap((column) => column.source), target: mapping.columns.map((column) => column.target) }
  for (const side of ['source', 'target'] as const) {
    const known = new Set([...compared[side], ...rowsOnly.known[side]])
    const added = facts[side]?.columns.find((column) => !known.has(column.name))
    if (added !== undefined) {
      throw new WaybillError(
        'SEGMENT_INCOMPLETE',
        `The ${side} table got a column ${JSON.stringify(added.name)} while the comparison ran. Run it again when nobody changes tables.`,
      )
    }
  }
}
