import type { Checker } from '../../core/connector.ts'
import { WaybillError } from '../../core/errors.ts'
import type { ColumnMapping, TableMapping } from '../../core/schemas/proposal.ts'
import type { CheckResult, ChecksReport } from '../../core/schemas/recon.ts'
import type { CheckRequest } from '../../core/schemas/spec.ts'
import { quoteLiteral, quoteQualified } from '../../core/sql-text.ts'
import { list, resolveTarget } from './ddl.ts'
import { bothOf, tableDistributions } from './distribution.ts'
import { plain, readDecimal, share } from './figure.ts'
import { type CheckSide, measureOf } from './side.ts'

type Sides = { source: CheckSide; target: CheckSide }
type Outcome = Pick<CheckResult, 'verdict' | 'figures' | 'explanation'>
type Of<K extends CheckRequest['kind']> = Extract<CheckRequest, { kind: K }>

/**
 * Runs declared checks read-only, each under one snapshot a side. A check that cannot be evaluated is `inconclusive` with its reason: "not run"
 * is never "passed". The target is a PostgreSQL database; the source is whatever `source` speaks for.
 */
export function openChecker(source: CheckSide, target: CheckSide): Checker {
  const sides = { source, target }
  return {
    async run(mapping, checks) {
      const results: CheckResult[] = []
      for (const { check_id, request } of checks) results.push(await runCheck(sides, mapping, check_id, request))
      const distributions: ChecksReport['distributions'] = []
      const ingestion: ChecksReport['ingestion'] = []
      for (const table of mapping) {
        const measured = await tableDistributions(sides, table, await counts(sides, table).catch(() => null))
        distributions.push(...measured.distributions)
        if (measured.ingestion) ingestion.push(measured.ingestion)
      }
      return { checks: results, distributions, ingestion }
    },
    async close() {
      await source.close()
      await target.close()
    },
  }
}

async function runCheck(sides: Sides, mapping: readonly TableMapping[], checkId: string, request: CheckRequest): Promise<CheckResult> {
  const frame = { check_id: checkId, kind: request.kind, where: whereOf(request), severity: request.severity }
  try {
    const table = resolveTarget(request.table, mapping)?.mapping
    if (!table) throw new WaybillError('NOT_FOUND', `"${request.table}" is no target table of this plan.`)
    return { ...frame, ...(await evaluate(sides, mapping, table, request)) }
  } catch (error) {
    const said = error instanceof WaybillError ? error.message : 'an unexpected failure'
    return { ...frame, verdict: 'inconclusive', figures: {}, explanation: `Not evaluated: ${said}`.slice(0, 2000) }
  }
}

function evaluate(sides: Sides, mapping: readonly TableMapping[], table: TableMapping, request: CheckRequest): Promise<Outcome> {
  switch (request.kind) {
    case 'row_count':
      return rowCount(sides, table)
    case 'foreign_key':
      return foreignKey(sides, mapping, table, request)
    case 'completeness':
      return completeness(sides, table, request)
    case 'range':
      return range(sides, table, request)
    case 'unique':
      return unique(sides, table, request)
    case 'sum':
      return sum(sides, table, request)
  }
}

async function counts(sides: Sides, table: TableMapping): Promise<{ source: bigint; target: bigint }> {
  const count = async (side: CheckSide) =>
    figure(await side.ask(`SELECT ${side.text('count(*)')} AS n FROM ${await side.relation(table, [])}`), 'n')
  const [source, target] = await bothOf(count(sides.source), count(sides.target))
  return { source, target }
}

async function rowCount(sides: Sides, table: TableMapping): Promise<Outcome> {
  const { source, target } = await counts(sides, table)
  const figures = { source_rows: String(source), target_rows: String(target), difference: String(target - source) }
  if (source === target) return { verdict: 'pass', figures, explanation: `Source${filtered(table)} and target both hold ${source} rows.` }
  const words = target < source ? `${source - target} fewer` : `${target - source} more`
  return {
    verdict: 'fail',
    figures,
    explanation: `The target holds ${target} rows, ${words} than the source${filtered(table)} (${source}).`,
  }
}

async function foreignKey(
  sides: Sides,
  mapping: readonly TableMapping[],
  table: TableMapping,
  request: Of<'foreign_key'>,
): Promise<Outcome> {
  const references = resolveTarget(request.references.table, mapping, table)
  if (references === null || request.columns.length !== request.references.columns.length) {
    throw new WaybillError('PLAN_INVALID', 'a foreign key names a table and as many referenced columns as its own.')
  }
  for (const column of request.columns) columnOf(table, column)
  const target = await orphans(
    sides.target,
    request,
    await sides.target.relation(table, request.columns),
    `${quoteQualified(references)} AS r`,
  )
  const source = await sourceOrphans(sides.source, table, references.mapping, request)
  const figures = {
    orphan_rows: String(target.rows),
    orphan_values: String(target.values),
    max_orphans: String(request.max_orphans),
    source_orphan_rows: source === null ? null : String(source.rows),
    source_orphan_values: source === null ? null : String(source.values),
  }
  const to = `${references.schema}.${references.name} (${request.references.columns.join(', ')})`
  const origin =
    source === null
      ? ' The source was not asked.'
      : source.rows === target.rows
        ? ' The source holds as many.'
        : ` The source holds ${source.rows}.`
  const found =
    target.rows === 0n
      ? `Every value of (${request.columns.join(', ')}) that is not NULL has its row in ${to}.`
      : `${target.rows} rows hold ${target.values} different values of (${request.columns.join(', ')}) without a row in ${to}; ${request.max_orphans} are allowed.${origin}`
  return { verdict: target.rows <= BigInt(request.max_orphans) ? 'pass' : 'fail', figures, explanation: found }
}

type Orphans = { rows: bigint; values: bigint }

/** NULL in any column is no reference, so such a row is no orphan. */
async function orphans(side: CheckSide, request: Of<'foreign_key'>, from: string, references: string): Promise<Orphans> {
  const own = request.columns.map((column) => `t.${side.quote(column)}`)
  const filled = own.map((column) => `${column} IS NOT NULL`).join(' AND ')
  const joined = own.map((column, index) => `r.${side.quote(request.references.columns[index] ?? '')} = ${column}`).join(' AND ')
  const rows = await side.ask(
    `SELECT ${side.text('coalesce(sum(n), 0)')} AS orphans, ${side.text('count(*)')} AS distinct_values FROM (
       SELECT count(*) AS n FROM ${from} WHERE ${filled} AND NOT EXISTS (SELECT 1 FROM ${references} WHERE ${joined}) GROUP BY ${own.join(', ')}) AS o`,
  )
  return { rows: figure(rows, 'orphans'), values: figure(rows, 'distinct_values') }
}

/** Where orphans come from: a source that has as many says that the migration did not make them. Null when the source cannot be asked. */
async function sourceOrphans(
  side: CheckSide,
  table: TableMapping,
  references: TableMapping | null,
  request: Of<'foreign_key'>,
): Promise<Orphans | null> {
  if (references === null) return null
  try {
    const from = await side.relation(table, request.columns)
    const to = (await side.relation(references, request.references.columns)).replace(/ AS t$/, ' AS r')
    return await orphans(side, request, from, to)
  } catch {
    return null
  }
}

async function completeness(sides: Sides, table: TableMapping, request: Of<'completeness'>): Promise<Outcome> {
  columnOf(table, request.column)
  const measure = async (side: CheckSide) => {
    const from = await side.relation(table, [request.column])
    const rows = await side.ask(
      `SELECT ${side.text('count(*)')} AS n, ${side.text(`count(${side.quote(request.column)})`)} AS filled FROM ${from}`,
    )
    return { rows: figure(rows, 'n'), filled: figure(rows, 'filled') }
  }
  const [source, target] = await bothOf(
    measure(sides.source).catch(() => null),
    measure(sides.target),
  )
  const figures = {
    rows: String(target.rows),
    non_null: String(target.filled),
    share: target.rows === 0n ? null : share(target.filled, target.rows),
    min_share: plainNumber(request.min_share),
    source_share: source === null || source.rows === 0n ? null : share(source.filled, source.rows),
  }
  if (target.rows === 0n)
    return { verdict: 'not-applicable', figures, explanation: 'The target table is empty, so there is no share of filled values.' }
  const least = readDecimal(plainNumber(request.min_share))
  const enough = least !== null && target.filled * 10n ** BigInt(least.scale) >= least.units * target.rows
  const explanation = `${target.filled} of ${target.rows} rows have a value in ${request.column} (${figures.share}); at least ${figures.min_share} is asked.`
  return { verdict: enough ? 'pass' : 'fail', figures, explanation }
}

async function range(sides: Sides, table: TableMapping, request: Of<'range'>): Promise<Outcome> {
  const column = columnOf(table, request.column)
  if (measureOf(column) === null) {
    throw new WaybillError(
      'PLAN_INVALID',
      `${request.column} has type ${column.target_type}; a range needs numbers or times, whose order does not depend on a language.`,
    )
  }
  if (request.min === undefined && request.max === undefined) throw new WaybillError('PLAN_INVALID', 'the range names neither min nor max.')
  const side = sides.target
  const value = side.quote(request.column)
  const beyond = (operator: string, bound: string | undefined) =>
    bound === undefined ? `'0'` : side.text(`count(*) FILTER (WHERE ${value} ${operator} ${quoteLiteral(bound)})`)
  const rows = await side.ask(
    `SELECT ${side.text('count(*)')} AS n, ${beyond('<', request.min)} AS below, ${beyond('>', request.max)} AS above FROM ${await side.relation(table, [])}`,
  )
  const [below, above] = [figure(rows, 'below'), figure(rows, 'above')]
  const figures = {
    rows: String(figure(rows, 'n')),
    below_min: String(below),
    above_max: String(above),
    min: request.min ?? null,
    max: request.max ?? null,
  }
  const limits = `${request.min ?? 'no lower limit'} to ${request.max ?? 'no upper limit'}`
  const explanation =
    below + above === 0n
      ? `Every value of ${request.column} lies within ${limits}; NULL is not judged.`
      : `${below} values of ${request.column} lie below and ${above} above ${limits}.`
  return { verdict: below + above === 0n ? 'pass' : 'fail', figures, explanation }
}

async function unique(sides: Sides, table: TableMapping, request: Of<'unique'>): Promise<Outcome> {
  for (const column of request.columns) columnOf(table, column)
  const side = sides.target
  const filled = request.columns.map((column) => `${side.quote(column)} IS NOT NULL`).join(' AND ')
  const rows = await side.ask(
    `SELECT ${side.text('count(*)')} AS duplicated, ${side.text('coalesce(sum(n - 1), 0)')} AS surplus FROM (
       SELECT count(*) AS n FROM ${await side.relation(table, request.columns)} WHERE ${filled} GROUP BY ${list(request.columns)} HAVING count(*) > 1) AS g`,
  )
  const [groups, surplus] = [figure(rows, 'duplicated'), figure(rows, 'surplus')]
  const figures = { duplicate_groups: String(groups), surplus_rows: String(surplus) }
  const columns = request.columns.join(', ')
  const explanation =
    groups === 0n
      ? `No two rows share a value of (${columns}); rows with NULL in it are not judged.`
      : `${groups} values of (${columns}) occur more than once, in ${surplus} surplus rows.`
  return { verdict: groups === 0n ? 'pass' : 'fail', figures, explanation }
}

async function sum(sides: Sides, table: TableMapping, request: Of<'sum'>): Promise<Outcome> {
  const column = columnOf(table, request.column)
  const measure = measureOf(column)
  const add = async (side: CheckSide, name: string) => {
    const exact = measure === 'moment' ? null : side.exact(side.quote(request.column), measure)
    if (exact === null)
      throw new WaybillError('NOT_REPRESENTABLE', `${request.column} (${column.target_type}) cannot be added exactly on the ${name}.`)
    const from = await side.relation(table, [request.column])
    const rows = await side.ask(
      `SELECT ${side.text(`sum(${exact})`)} AS total, ${side.text(`count(${side.quote(request.column)})`)} AS n FROM ${from}`,
    )
    return { total: plain(rows[0]?.total ?? null), values: figure(rows, 'n') }
  }
  const [source, target] = await bothOf(add(sides.source, 'source'), add(sides.target, 'target'))
  const figures = {
    source_sum: source.total,
    target_sum: target.total,
    source_values: String(source.values),
    target_values: String(target.values),
  }
  const unit = measure === 'duration' ? ' seconds (a month counted as 30 days)' : ''
  const equal = source.total === target.total && source.values === target.values
  const explanation = equal
    ? source.total === null
      ? `Neither side has a value of ${request.column} to add.`
      : `The sum of ${request.column} is ${source.total}${unit} over ${source.values} values on both sides.`
    : `The sum of ${request.column} is ${source.total ?? 'none'}${unit} over ${source.values} values in the source and ${target.total ?? 'none'} over ${target.values} in the target.`
  return { verdict: equal ? 'pass' : 'fail', figures, explanation }
}

function columnOf(table: TableMapping, name: string): ColumnMapping {
  const found = table.columns.find((column) => column.target === name)
  if (found) return found
  throw new WaybillError('NOT_FOUND', `${table.target.schema}.${table.target.name} has no mapped column "${name}".`)
}

function figure(rows: readonly Record<string, string | null>[], name: string): bigint {
  const value = rows[0]?.[name]
  if (value === null || value === undefined || !/^\d+$/.test(value))
    throw new WaybillError('STREAM_TRUNCATED', `The server did not answer with "${name}".`)
  return BigInt(value)
}

/** 1e-7 and the like as a plain decimal. */
function plainNumber(value: number): string {
  return plain(value.toFixed(12)) ?? '0'
}

function filtered(table: TableMapping): string {
  return table.filter ? ' under its filter' : ''
}

function whereOf(request: CheckRequest): string {
  const columns = 'columns' in request ? request.columns : 'column' in request ? [request.column] : []
  return `${request.table}${columns.length > 0 ? ` (${columns.join(', ')})` : ''}`.slice(0, 512)
}
