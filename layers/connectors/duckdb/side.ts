import { WaybillError } from '../../core/errors.ts'
import type { ColumnMapping } from '../../core/schemas/proposal.ts'
import { readSqlType } from '../../core/sql-type.ts'
import type { CheckSide, Measure } from '../postgres/side.ts'
import { type Expression, fileExpression, fileFilter } from './expression.ts'
import { sourceFolder } from './files.ts'
import { type FileFormat, openRelation, wholeOf } from './relation.ts'
import { name, openDuckDb } from './session.ts'

/** Files as the source side of checks: transform(source) with the target's column names and types. @throws NOT_FOUND */
export async function openFileSide(format: FileFormat, url: string): Promise<CheckSide> {
  const root = await sourceFolder(url)
  const duck = await openDuckDb(root)
  return {
    ask: (sql) => duck.ask(sql),
    quote: name,
    divide: '//',
    text: (expression) => `CAST(${expression} AS VARCHAR)`,
    exact: exactSum,
    scaled: (expression, measure) => {
      const number = scaledNumber(expression, measure)
      return number === null ? null : `CAST(${number} AS VARCHAR)`
    },
    outside: (expression, measure, low, high) => {
      const number = scaledNumber(expression, measure) ?? expression
      return `(${number} < ${low} OR ${number} > ${high})`
    },
    async relation(table, columns) {
      const relation = await openRelation(duck, root, format, table.source.name)
      const wanted = table.columns.filter((column) => columns.includes(column.target))
      const list = wanted.map((column) => `${typed(column, fileExpression(column, relation))} AS ${name(column.target)}`)
      const where = table.filter ? ` WHERE ${fileFilter(table.filter, relation)}` : ''
      return `(SELECT ${list.length > 0 ? list.join(', ') : '1 AS one'} FROM ${wholeOf(relation)}${where}) AS t`
    },
    close: () => duck.close(),
  }
}

/** The DuckDB type that holds the target's values; @throws NOT_REPRESENTABLE where none does, such as numeric beyond 38 digits */
function typed(column: ColumnMapping, { sql }: Expression): string {
  const type = readSqlType(column.target_type)
  const plain: Readonly<Record<string, string>> = {
    smallint: 'BIGINT',
    integer: 'BIGINT',
    bigint: 'BIGINT',
    real: 'FLOAT',
    'double precision': 'DOUBLE',
    boolean: 'BOOLEAN',
    text: 'VARCHAR',
    'character varying': 'VARCHAR',
    character: 'VARCHAR',
    date: 'DATE',
    'time without time zone': 'TIME',
    'timestamp without time zone': 'TIMESTAMP',
    interval: 'INTERVAL',
    uuid: 'UUID',
    bytea: 'BLOB',
  }
  if (type !== null && !type.array) {
    if (Object.hasOwn(plain, type.base)) return `CAST(${sql} AS ${plain[type.base]})`
    const [precision, scale = 0] = type.modifiers
    if (type.base === 'numeric' && precision !== undefined && precision <= 38) return `CAST(${sql} AS DECIMAL(${precision}, ${scale}))`
  }
  throw new WaybillError(
    'NOT_REPRESENTABLE',
    `${column.target_type} is not measured over files. Run this check on the target after loading.`,
  )
}

function exactSum(expression: string, measure: Measure): string | null {
  // DuckDB adds whole and decimal numbers exactly; its floats, like all floats, depend on the order.
  return measure === 'integer' || measure === 'decimal' ? expression : null
}

function scaledNumber(expression: string, measure: Measure): string | null {
  if (measure === 'moment' || measure === 'clock') return `epoch_us(${expression})`
  if (measure === 'duration') return null
  return expression
}
