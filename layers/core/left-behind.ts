import { counted } from './count-words.ts'
import { WaybillError } from './errors.ts'
import { namesInShort } from './names-in-short.ts'
import type { Catalog } from './schemas/catalog.ts'
import type { Plan } from './schemas/plan.ts'
import type { TableMapping } from './schemas/proposal.ts'

/**
 * Source columns that no target column is made from, table by table in the order of the plan. A comparison of what is moved says nothing of them.
 * @throws PLAN_INVALID for a table that discovery did not read
 */
export function leftBehind(tables: readonly TableMapping[], catalog: Catalog): Plan['left_behind'] {
  return tables.flatMap(({ table_id, source, columns }) => {
    const found = catalog.tables.find(({ schema, name }) => schema === source.schema && name === source.name)
    if (found === undefined) throw new WaybillError('PLAN_INVALID', `The catalog has no table for ${table_id}. Start the migration again.`)
    const used = new Set(columns.flatMap((column) => column.source))
    const rest = found.columns.map(({ name }) => name).filter((name) => !used.has(name))
    return rest.length === 0 ? [] : [{ table_id, columns: rest }]
  })
}

/** `salary, bonus and 3 more` */
export function columnsInWords(columns: readonly string[], most = 12): string {
  return namesInShort(columns, most)
}

/** Everything that does not arrive as it was, by plan, one part each; empty where all of it does. */
export function omissions(plan: Pick<Plan, 'left_behind' | 'tables' | 'recon'>): string[] {
  const columns = plan.tables.flatMap((table) => table.columns)
  const parts: [count: number, one: string, many: string][] = [
    [plan.left_behind.reduce((sum, table) => sum + table.columns.length, 0), 'column left behind', 'columns left behind'],
    [plan.tables.filter((table) => table.filter !== null).length, 'table moved only in part', 'tables moved only in part'],
    [columns.filter((column) => column.transform.kind.startsWith('mask_')).length, 'column masked', 'columns masked'],
    [columns.filter((column) => column.lossy).length, 'column that loses information', 'columns that lose information'],
    [plan.recon.tables.reduce((sum, table) => sum + table.tolerances.length, 0), 'tolerance', 'tolerances'],
  ]
  return parts.flatMap(([count, one, many]) => (count === 0 ? [] : [counted(count, one, many)]))
}

/** What stays in the source of one table, in a sentence; null where it is moved whole. */
export function leftOfTable(plan: Pick<Plan, 'left_behind'>, table: TableMapping): string | null {
  const columns = plan.left_behind.find(({ table_id }) => table_id === table.table_id)?.columns ?? []
  const parts = [
    ...(table.filter === null ? [] : ['rows outside the filter']),
    ...(columns.length === 0 ? [] : [`${columns.length === 1 ? 'the column' : 'the columns'} ${columnsInWords(columns)}`]),
  ]
  return parts.length === 0 ? null : `left behind as planned and not compared: ${parts.join('; ')}.`
}
