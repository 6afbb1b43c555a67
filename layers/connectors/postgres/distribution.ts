import { isWaybillError } from '../../core/errors.ts'
import type { ColumnMapping, TableMapping } from '../../core/schemas/proposal.ts'
import type { ChecksReport, Distribution } from '../../core/schemas/recon.ts'
import { addDecimals, compareDecimals, type Decimal, plain, printDecimal, readDecimal } from './figure.ts'
import { type CheckSide, type Measure, measureOf } from './side.ts'

/** Up to this many distinct values all of them are compared; above, the values at 1,000 quantiles. */
const EXACT_VALUES = 2000
const QUANTILES = 1000
/** Grouping more rows than this by value costs more than the figure is worth. */
const MAX_ROWS = 50_000_000n

/** The cumulative distribution of one column on one side: rows with a value ≤ `value`, at every value or at the quantiles. */
type Point = { value: Decimal; shown: string; cumulative: bigint; own: bigint }
type Shape = { points: Point[]; finite: boolean; rows: bigint; nulls: bigint; distinct: bigint; min: string | null; max: string | null }

type Sides = { source: CheckSide; target: CheckSide }
type Ingestion = ChecksReport['ingestion'][number]

/**
 * Distributions of the numeric and time columns of one table pair, computed where the data lies: a side sends at most 2,000 values and their
 * cumulative counts. `rows` are the two exact counts, null when counting failed.
 */
export async function tableDistributions(
  sides: Sides,
  table: TableMapping,
  rows: { source: bigint; target: bigint } | null,
): Promise<{ distributions: Distribution[]; ingestion: Ingestion | null }> {
  const distributions: Distribution[] = []
  let ingestion: Ingestion | null = null
  for (const column of table.columns) {
    const measure = measureOf(column)
    const isOrder = table.order_key === column.target
    if (measure === null) continue
    const tooMany = rows !== null && (rows.source > MAX_ROWS || rows.target > MAX_ROWS)
    const measured = tooMany ? `not measured above ${MAX_ROWS} rows` : await measureColumn(sides, table, column, measure)
    if (typeof measured === 'string') {
      distributions.push(empty(table, column, measured))
      if (isOrder) ingestion = noIngestion(table, column, measured)
      continue
    }
    distributions.push(measured.distribution)
    if (isOrder) ingestion = ingestionOf(table, column, measure, measured.source, measured.target)
  }
  if (table.order_key !== null && ingestion === null) {
    ingestion = { ...rates(table, table.order_key), reason: 'the order key is neither a number nor a time' }
  }
  return { distributions, ingestion }
}

type Measured = { distribution: Distribution; source: Shape; target: Shape }

/** The figures, or why there are none. */
async function measureColumn(sides: Sides, table: TableMapping, column: ColumnMapping, measure: Measure): Promise<Measured | string> {
  try {
    const [source, target] = await bothOf(shapeOf(sides.source, table, column, measure), shapeOf(sides.target, table, column, measure))
    if (typeof source === 'string') return `source: ${source}`
    if (typeof target === 'string') return `target: ${target}`
    const fences = fencesOf(source)
    const counting = bothOf(outliers(sides.source, table, column, measure, fences), outliers(sides.target, table, column, measure, fences))
    // A fence may lie where the type has no values, such as a year it cannot name; the other figures stand.
    const [sourceOutliers, targetOutliers] = await counting.catch(() => [null, null])
    const similarity = kolmogorovSmirnov(source, target)
    const reasons = [
      similarity.reason,
      sourceOutliers === null ? 'outliers were not counted: no finite quartiles, or fences beyond the range of the type' : null,
      column.pii ? 'smallest and largest value are left out: the column holds personal data' : null,
    ].filter((reason) => reason !== null)
    const distribution: Distribution = {
      table_id: table.table_id,
      column: column.target,
      kolmogorov_smirnov: similarity.value,
      source_outliers: sourceOutliers,
      target_outliers: targetOutliers,
      source_min: column.pii ? null : source.min,
      source_max: column.pii ? null : source.max,
      target_min: column.pii ? null : target.min,
      target_max: column.pii ? null : target.max,
      source_nulls: String(source.nulls),
      target_nulls: String(target.nulls),
      source_distinct: String(source.distinct),
      target_distinct: String(target.distinct),
      reason: reasons.length > 0 ? reasons.join('; ') : null,
    }
    return { distribution, source, target }
  } catch (error) {
    return isWaybillError(error) ? error.message.slice(0, 500) : 'the column could not be read'
  }
}

async function shapeOf(side: CheckSide, table: TableMapping, column: ColumnMapping, measure: Measure): Promise<Shape | string> {
  const value = side.quote(column.target)
  const number = side.scaled('v', measure)
  if (number === null) return `a ${measure} is not measured on this kind of source`
  const from = await side.relation(table, [column.target])
  const quantile = (count: string) => `(${count}) * ${QUANTILES} ${side.divide} total`
  const rows = await side.ask(
    `WITH grouped AS (SELECT ${value} AS v, count(*) AS n FROM ${from} GROUP BY 1),
      running AS (SELECT v, n, v IS NULL AS empty, CAST(sum(n) OVER (ORDER BY v NULLS LAST ROWS UNBOUNDED PRECEDING) AS bigint) AS cum,
        CAST(sum(CASE WHEN v IS NULL THEN 0 ELSE n END) OVER () AS bigint) AS total, count(v) OVER () AS d FROM grouped)
     SELECT ${number} AS v, ${side.text('v')} AS shown, ${side.text('n')} AS n, ${side.text('cum')} AS cum, ${side.text('d')} AS d
       FROM running WHERE empty OR d <= ${EXACT_VALUES} OR cum = n OR ${quantile('cum')} > ${quantile('cum - n')} ORDER BY running.v NULLS LAST`,
  )
  const points: Point[] = []
  let finite = true
  const filled = rows.filter((row) => row.shown !== null)
  for (const row of filled) {
    const parsed = readDecimal(row.v ?? '')
    if (parsed === null) finite = false
    else points.push({ value: parsed, shown: row.shown ?? '', cumulative: BigInt(row.cum ?? '0'), own: BigInt(row.n ?? '0') })
  }
  return {
    points,
    finite,
    rows: BigInt(filled.at(-1)?.cum ?? '0'),
    nulls: BigInt(rows.find((row) => row.shown === null)?.n ?? '0'),
    distinct: BigInt(rows[0]?.d ?? '0'),
    min: filled[0]?.shown ?? null,
    max: filled.at(-1)?.shown ?? null,
  }
}

/**
 * The largest distance between the two cumulative distributions. With every value known it is exact. Otherwise it is a lower bound: between two
 * quantiles a side's share is only known to within 0.001, and only a difference that is certain counts.
 */
function kolmogorovSmirnov(source: Shape, target: Shape): { value: number | null; reason: string | null } {
  if (!source.finite || !target.finite) return { value: null, reason: 'values that are not finite have no distance' }
  if (source.rows === 0n && target.rows === 0n) return { value: null, reason: 'no values on either side' }
  if (source.rows === 0n || target.rows === 0n) return { value: 1, reason: null }
  let largest = 0
  for (const { value } of [...source.points, ...target.points]) {
    const [a, b] = [bounds(source, value), bounds(target, value)]
    largest = Math.max(largest, a.low - b.high, b.low - a.high)
  }
  const exact = source.distinct <= BigInt(EXACT_VALUES) && target.distinct <= BigInt(EXACT_VALUES)
  const value = Math.min(1, largest)
  if (exact) return { value, reason: null }
  return { value, reason: `distance at the 1,000-quantiles of both sides: a lower bound, the true one is less than 0.002 above` }
}

/** What is certain about the share of rows ≤ value. */
function bounds(shape: Shape, value: Decimal): { low: number; high: number } {
  let [first, last] = [0, shape.points.length]
  while (first < last) {
    const middle = (first + last) >> 1
    const point = shape.points[middle]
    if (point && compareDecimals(point.value, value) <= 0) first = middle + 1
    else last = middle
  }
  const before = shape.points[first - 1]
  const after = shape.points[first]
  const total = Number(shape.rows)
  const low = before ? Number(before.cumulative) / total : 0
  const complete = shape.distinct <= BigInt(EXACT_VALUES)
  const known = complete || (before !== undefined && compareDecimals(before.value, value) === 0)
  return { low, high: known || !after ? low : Number(after.cumulative - after.own) / total }
}

type Fences = { low: string; high: string }

/** Tukey's fences: one and a half times the quartile distance beyond the source's quartiles. */
function fencesOf(source: Shape): Fences | null {
  const first = quantile(source, 1n)
  const third = quantile(source, 3n)
  if (!source.finite || first === null || third === null) return null
  const distance = addDecimals(third, { units: -first.units, scale: first.scale })
  const reach: Decimal = { units: distance.units * 15n, scale: distance.scale + 1 }
  return {
    low: printDecimal(addDecimals(first, { units: -reach.units, scale: reach.scale })),
    high: printDecimal(addDecimals(third, reach)),
  }
}

/** The smallest value with at least k/4 of the rows at or below it; always among the points, since 1,000 quantiles hold the quartiles. */
function quantile(shape: Shape, quarter: bigint): Decimal | null {
  return shape.points.find((point) => point.cumulative * 4n >= shape.rows * quarter)?.value ?? null
}

async function outliers(
  side: CheckSide,
  table: TableMapping,
  column: ColumnMapping,
  measure: Measure,
  fences: Fences | null,
): Promise<string | null> {
  if (fences === null) return null
  const from = await side.relation(table, [column.target])
  const outside = side.outside(side.quote(column.target), measure, fences.low, fences.high)
  const [row] = await side.ask(`SELECT ${side.text('count(*)')} AS n FROM ${from} WHERE ${outside}`)
  return row?.n ?? null
}

function ingestionOf(table: TableMapping, column: ColumnMapping, measure: Measure, source: Shape, target: Shape): Ingestion {
  if (measure !== 'moment') return noIngestion(table, column, 'the order key is not a time')
  const [a, b] = [rate(source), rate(target)]
  const reason = a === null || b === null ? 'all rows carry the same time, or there are none' : null
  return { table_id: table.table_id, order_key: column.target, source_rows_per_second: a, target_rows_per_second: b, reason }
}

function rate(shape: Shape): number | null {
  const [first, last] = [shape.points[0], shape.points.at(-1)]
  if (!shape.finite || !first || !last) return null
  const micros = Number(plain(printDecimal(addDecimals(last.value, { units: -first.value.units, scale: first.value.scale }))))
  return micros > 0 ? Number(shape.rows) / (micros / 1e6) : null
}

function rates(table: TableMapping, orderKey: string) {
  return { table_id: table.table_id, order_key: orderKey, source_rows_per_second: null, target_rows_per_second: null }
}

function noIngestion(table: TableMapping, column: ColumnMapping, reason: string): Ingestion {
  return { ...rates(table, column.target), reason }
}

function empty(table: TableMapping, column: ColumnMapping, reason: string): Distribution {
  const nothing = { source_outliers: null, target_outliers: null, source_min: null, source_max: null, target_min: null, target_max: null }
  const counts = { source_nulls: null, target_nulls: null, source_distinct: null, target_distinct: null }
  return { table_id: table.table_id, column: column.target, kolmogorov_smirnov: null, ...nothing, ...counts, reason }
}

/** Both sides at once; one failing does not leave the other running unobserved. */
export async function bothOf<A, B>(a: Promise<A>, b: Promise<B>): Promise<[A, B]> {
  const [left, right] = await Promise.allSettled([a, b])
  if (left.status === 'rejected') throw left.reason
  if (right.status === 'rejected') throw right.reason
  return [left.value, right.value]
}
