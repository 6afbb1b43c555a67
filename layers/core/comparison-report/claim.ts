import type { Verdict } from '../schemas/common.ts'
import type { Comparison } from './comparison.ts'

/** Fail where anything fails; pass only where everything passes; a comparison of nothing is never equal. */
export function verdictOf(found: Pick<Comparison, 'tables' | 'earlier' | 'problems' | 'interrupted' | 'filter'>): Verdict {
  const verdicts = [...found.tables.map((table) => table.verdict), ...found.problems.map((problem) => problem.verdict)]
  if (verdicts.includes('fail')) return 'fail'
  if (found.interrupted || verdicts.length + found.earlier.length === 0 || nothingMet(found)) return 'inconclusive'
  return verdicts.every((verdict) => verdict === 'pass') ? 'pass' : 'inconclusive'
}

/** A condition that no row meets is a slip of the pen far more often than a finding. */
function nothingMet({ filter, tables, earlier }: Pick<Comparison, 'filter' | 'tables' | 'earlier'>): boolean {
  return (
    filter.length > 0 &&
    tables.length > 0 &&
    earlier.length === 0 &&
    tables.every((table) => table.verdict === 'pass' && table.source_rows === '0' && table.target_rows === '0')
  )
}

/** Files are named with their digests, each table's by themselves. */
const OF_FILES = / bytes sha256:[0-9a-f]{64}/

/** Snapshots of one side under which tables were read. More than one: the tables were not seen at one moment. */
export function moments(found: Pick<Comparison, 'tables' | 'earlier'>): number {
  const all = [...found.tables, ...found.earlier]
  const of = (side: 'source' | 'target') =>
    new Set(all.map((table) => table.snapshot[side]).filter((snapshot) => snapshot !== '' && !OF_FILES.test(snapshot))).size
  return Math.max(of('source'), of('target'))
}

/** What was shown, in one sentence and no more than that. "Equal" only where every row was compared. */
export function claimOf(found: Omit<Comparison, 'claim'>): string {
  if (found.verdict === 'fail') {
    const failed = [...found.tables, ...found.problems].filter((one) => one.verdict === 'fail').length
    const all = found.tables.length + found.earlier.length + found.problems.length
    const tables = `${failed} of ${all} ${all === 1 ? 'table' : 'tables'}`
    if (found.mode === 'schema') return `The schemas differ in ${tables}. No row was read.`
    const open = [...found.tables, ...found.problems].filter((one) => one.verdict === 'inconclusive').length
    const more = open === 0 ? '' : ` ${open} ${open === 1 ? 'was' : 'were'} not decided.`
    return `Not equal: ${tables} ${failed === 1 ? 'differs' : 'differ'}${found.interrupted ? ', as far as was compared before it was interrupted' : ''}.${more}`
  }
  if (found.interrupted) return 'Interrupted: not decided. This is not "equal".'
  const undecided = found.problems.some((problem) => problem.verdict !== 'pass')
  const agreeing = found.tables.every((table) => table.reasons.length > 0) && !undecided
  if (found.mode === 'schema') {
    return found.verdict === 'pass'
      ? `The schemas agree${remarks(found)}. No row was read: this says nothing about the data.`
      : 'Not decided: see the reasons above.'
  }
  if (found.verdict === 'inconclusive') {
    if (found.mode === 'aggregates' && agreeing && found.tables.every((table) => table.aggregates.length > 0)) {
      return 'No figure differs where figures were compared. Rows were not compared: this is not "equal".'
    }
    if (found.mode === 'sample' && found.tables.every((table) => table.segments.length > 0) && !undecided) {
      return `No difference${withinTolerance(found) ? ' beyond tolerance' : ''} in the sample. The other rows were not compared: this is not "equal".`
    }
    if (!undecided && nothingMet(found))
      return `No row of either side meets ${found.filter.join(' and ')}: nothing was compared. This is not "equal".`
    return 'Not decided: see the reasons above. This is not "equal".'
  }
  const equal = withinTolerance(found) ? 'Equal within tolerance' : 'Equal'
  const scope =
    found.filter.length > 0
      ? `${equal} where ${found.filter.join(' and ')}: every such row of every table compared, both ways; other rows were not.`
      : `${equal}: every row of every table compared, both ways.`
  return [scope + timesOf(found), heldApart(found), declaredUnlike(found), leftOut(found)].filter((sentence) => sentence !== '').join(' ')
}

/** True where "equal" alone would say too much. */
export function withinTolerance({ tables }: Pick<Comparison, 'tables'>): boolean {
  return tables.some((table) => table.tolerances !== undefined)
}

function heldApart({ tables }: Pick<Comparison, 'tables'>): string {
  const held = tables.flatMap((table) => table.tolerances ?? [])
  const rows = held.reduce((sum, one) => sum + BigInt(one.within), 0n)
  if (held.length === 0) return ''
  const columns = held.length === 1 ? '1 column was' : `${held.length} columns were`
  return `${columns} held to a tolerance; ${rows} ${rows === 1n ? 'value differs' : 'values differ'} within it: see above.`
}

/** What is declared in another way and means the same for every row: how a table is divided, the order of columns, a comment. */
function remarks({ tables }: Pick<Comparison, 'tables'>): string {
  const count = tables.reduce((sum, table) => sum + table.schema_differences.length, 0)
  return count === 0 ? '' : `, apart from ${count} ${count === 1 ? 'remark' : 'remarks'} above`
}

/** Equal rows in tables that are not declared alike will not stay equal. */
function declaredUnlike({ tables }: Pick<Comparison, 'tables'>): string {
  const unlike = tables.filter((table) => table.schema_differences.some(({ severity }) => severity !== 'INFO')).length
  return unlike === 0 ? '' : `The schemas differ in ${unlike} ${unlike === 1 ? 'table' : 'tables'}: see above.`
}

function leftOut({ left_out }: Pick<Comparison, 'left_out'>): string {
  return left_out.length === 0 ? '' : `Not compared: ${left_out.join('; ')}.`
}

/** What a reader must know who would take the result for one moment of both databases. */
function timesOf(found: Omit<Comparison, 'claim'>): string {
  const { earlier, tables } = found
  const between = (instants: readonly string[]) => {
    const sorted = [...instants].sort()
    return `${sorted[0]} to ${sorted.at(-1)}`
  }
  const said: string[] = []
  if (earlier.length > 0) {
    const at = between(earlier.flatMap((table) => [table.earliest_at ?? table.finished_at, table.finished_at]))
    said.push(
      `${earlier.length} of the ${earlier.length + tables.length} tables were compared by an earlier run (${at}) and not again: not under one snapshot.`,
    )
  }
  const resumed = tables.flatMap((table) => table.earlier_segments ?? [])
  if (resumed.length > 0) {
    const segments = resumed.reduce((sum, one) => sum + one.segments, 0)
    const at = between(resumed.flatMap((one) => [one.first, one.last]))
    said.push(
      `${segments} ${segments === 1 ? 'segment' : 'segments'} of ${resumed.length} ${resumed.length === 1 ? 'table' : 'tables'} ${segments === 1 ? 'was' : 'were'} compared by an earlier run (${at}) and not again: not under one snapshot.`,
    )
  }
  const settled = tables.reduce((sum, table) => sum + BigInt(table.live?.settled ?? 0), 0n)
  if (settled > 0n)
    said.push(`${settled} ${settled === 1n ? 'key was' : 'keys were'} in motion and settled: read again until equal on both sides.`)
  if (earlier.length + resumed.length === 0 && moments(found) > 1)
    said.push('The tables were compared at different times, not under one snapshot.')
  return said.map((sentence) => ` ${sentence}`).join('')
}

/**
 * The chance that a sample of `n` rows holds at least one of the differing ones, when a share `p` of all rows differs: 1 − (1 − p)ⁿ.
 */
export function sampleConfidence(p: number, n: bigint): number {
  return -Math.expm1(Number(n) * Math.log1p(-p))
}
