import type { ConnectorOptions } from '../../core/connector.ts'
import type { ColumnMapping, TableMapping } from '../../core/schemas/proposal.ts'
import { filterSql, quoteIdentifier, quoteQualified } from '../../core/sql-text.ts'
import { readSqlType } from '../../core/sql-type.ts'
import { asker, cancelOnAbort } from './ask.ts'
import { binaryExpression } from './ddl.ts'
import { openSession, READ_SNAPSHOT } from './session.ts'

/** What the values of a column can be measured as. A `moment`, a `clock` (time of day) and a `duration` count as microseconds. */
export type Measure = 'integer' | 'decimal' | 'float' | 'moment' | 'clock' | 'duration' | null

/**
 * One side of a check, read only: each mapped table seen as a relation with the *target's* column names and types, so that one statement asks
 * both sides the same question. Column values never leave the server; figures do.
 */
export type CheckSide = {
  ask(sql: string): Promise<Record<string, string | null>[]>
  /** A FROM item: transform(source) under its filter, or the target table. @throws NOT_REPRESENTABLE where a side cannot express it */
  relation(table: TableMapping, columns: readonly string[]): Promise<string>
  quote(name: string): string
  /** Whole-number division. */
  divide: '/' | '//'
  /** Exact numeric of a measured expression, for sums; null where this side cannot add exactly. */
  exact(expression: string, measure: Measure): string | null
  /** Number on a common scale (microseconds for moments and durations), as text. */
  scaled(expression: string, measure: Measure): string | null
  text(expression: string): string
  /** `expression < bound OR expression > bound` on the scale of `scaled`. */
  outside(expression: string, measure: Measure, low: string, high: string): string
  close(): Promise<void>
}

/** How the target type of a column is measured. */
export function measureOf(column: ColumnMapping): Measure {
  const type = readSqlType(column.target_type)
  if (type === null || type.array) return null
  switch (type.base) {
    case 'smallint':
    case 'integer':
    case 'bigint':
      return 'integer'
    case 'numeric':
      return 'decimal'
    case 'real':
    case 'double precision':
      return 'float'
    case 'time without time zone':
      return 'clock'
    case 'date':
    case 'timestamp without time zone':
    case 'timestamp with time zone':
      return 'moment'
    case 'interval':
      return 'duration'
    default:
      return null
  }
}

/** One snapshot for all checks of a run. A statement that fails is undone by itself and the next one still runs. */
export async function openPostgresSide(url: string, role: 'source' | 'target', options: ConnectorOptions): Promise<CheckSide> {
  const { connectTimeoutMs, statementTimeoutMs } = options
  const session = await openSession(url, { readOnly: true, connectTimeoutMs, statementTimeoutMs, side: role })
  await session.run(READ_SNAPSHOT)
  await session.run(`SET LOCAL work_mem = '64MB'`)
  const unwatch = cancelOnAbort(url, session, options)
  const plain = asker(session, `checking the ${role}`, options.signal)
  return {
    quote: quoteIdentifier,
    divide: '/',
    text: (expression) => `CAST(${expression} AS text)`,
    exact: exactNumeric,
    scaled: (expression, measure) => {
      const number = scaledNumeric(expression, measure)
      return number === null ? null : `CAST(${number} AS text)`
    },
    outside,
    async ask(sql) {
      await session.run('SAVEPOINT statement')
      try {
        return await plain(sql)
      } catch (error) {
        await session.run('ROLLBACK TO SAVEPOINT statement').catch(() => {})
        throw error
      }
    },
    async relation(table, columns) {
      if (role === 'target') return `${quoteQualified(table.target)} AS t`
      const wanted = table.columns.filter((column) => columns.includes(column.target))
      const list = wanted.map((column) => `${binaryExpression(column)} AS ${quoteIdentifier(column.target)}`)
      const where = table.filter ? ` WHERE ${filterSql(table.filter)}` : ''
      return `(SELECT ${list.join(', ')} FROM ${quoteQualified(table.source)}${where}) AS t`
    },
    async close() {
      unwatch()
      await session.close()
    },
  }
}

/** float8 to numeric keeps 15 digits; through its shortest text nothing is lost. */
function exactNumeric(expression: string, measure: Measure): string | null {
  switch (measure) {
    case 'integer':
    case 'decimal':
      return `CAST(${expression} AS numeric)`
    case 'float':
      return `CAST(CAST(${expression} AS text) AS numeric)`
    case 'duration':
      return `CAST(extract(epoch FROM ${expression}) AS numeric)`
    default:
      return null
  }
}

function scaledNumeric(expression: string, measure: Measure): string | null {
  if (measure === 'moment' || measure === 'clock') return `CAST(extract(epoch FROM ${expression}) * 1000000 AS numeric)`
  if (measure === 'duration') return `(${exactNumeric(expression, measure)} * 1000000)`
  return exactNumeric(expression, measure)
}

/** In the column's own type where that is the same question: a conversion of every row costs more than the scan. */
function outside(expression: string, measure: Measure, low: string, high: string): string {
  const [least, most] = [wholeNumber(low, 1n), wholeNumber(high, -1n)]
  if (measure === 'integer') return `(${expression} < ${least} OR ${expression} > ${most})`
  if (measure === 'duration') return `(${expression} < INTERVAL '${least} microseconds' OR ${expression} > INTERVAL '${most} microseconds')`
  if (measure === 'moment') return `(${expression} < ${moment(least)} OR ${expression} > ${moment(most)})`
  const number = scaledNumeric(expression, measure) ?? expression
  return `(${number} < ${low} OR ${number} > ${high})`
}

/** Compares with date, timestamp and timestamptz alike: the session's time zone is UTC. */
function moment(micros: string): string {
  return `(TIMESTAMPTZ 'epoch' + INTERVAL '${micros} microseconds')`
}

/** The next whole number up (1) or down (−1) from a decimal: for whole values, `v < 12.5` is `v < 13`. */
function wholeNumber(bound: string, direction: 1n | -1n): string {
  const [whole = '0', fraction = ''] = bound.split('.')
  const towardsZero = BigInt(whole)
  const negative = bound.startsWith('-')
  const cut = /[1-9]/.test(fraction)
  if (!cut || (direction === 1n) === negative) return String(towardsZero)
  return String(towardsZero + direction)
}
