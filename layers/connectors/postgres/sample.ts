import { WaybillError } from '../../core/errors.ts'
import { printedSql } from '../../core/sql-text.ts'
import type { RowColumn } from './row-column.ts'
import { quoteLiteral } from './sql.ts'

const MILLION = 1_000_000

/**
 * The condition that a row is in the sample: SHA-256 of the seed and of the columns' text, framed by length, below the rate. Both sides
 * compute it over the row encoding's own expressions, so a row that is the same on both sides is in both samples or in neither.
 * @throws BAD_INPUT
 */
export function sampleSql(
  sample: { seed: string; per_million: number },
  columns: readonly Pick<RowColumn, 'source' | 'target'>[],
  side: 'source' | 'target',
): string {
  if (!Number.isInteger(sample.per_million) || sample.per_million < 1 || sample.per_million > MILLION) {
    throw new WaybillError('BAD_INPUT', 'A sample is 1 to 1,000,000 of a million.')
  }
  const framed = columns.map((column) => {
    const text = printedSql(column[side])
    return `coalesce(length(${text}) || ':' || ${text}, '-')`
  })
  const digest = `sha256(convert_to(${[quoteLiteral(`${sample.seed.length}:${sample.seed}`), ...framed].join(' || ')}, 'UTF8'))`
  const threshold = (BigInt(sample.per_million) * 2n ** 32n) / BigInt(MILLION)
  return `(('x' || left(encode(${digest}, 'hex'), 8))::bit(32)::bigint < ${threshold})`
}
