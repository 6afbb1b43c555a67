import type { ColumnMapping } from '../../core/schemas/proposal.ts'
import { quoteIdentifier, transformSql } from '../../core/sql-text.ts'

export { filterSql } from '../../core/sql-text.ts'

/**
 * What a column's value is on one side: on the source the plan's transform over source columns, on the target the column itself.
 * `prefix` is a table alias with its dot, such as `t.`.
 * @throws PLAN_INVALID, SPEC_INVALID, NOT_REPRESENTABLE
 */
export function selectExpression(column: ColumnMapping, side: 'source' | 'target', prefix = ''): string {
  return side === 'source' ? transformSql(column, prefix) : prefix + quoteIdentifier(column.target)
}
