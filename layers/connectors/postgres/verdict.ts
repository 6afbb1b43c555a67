import { sideRoot } from '../../core/encoding/segment-digest.ts'
import { WaybillError } from '../../core/errors.ts'
import type { Comparison } from './comparison.ts'
import type { Named } from './difference-tally.ts'
import type { TolerancePass } from './tolerance-pass.ts'

export type Judgement = { equal: boolean; sourceRoot: string; targetRoot: string; differing: number }

function broken(what: string): never {
  throw new WaybillError('SEGMENT_INCOMPLETE', `${what} Nothing is concluded; run the comparison again.`)
}

/**
 * Equal needs all of it: every expected segment once, counts of the segments adding up to what was read, equal digests, equal roots, and no
 * named difference. Digests that differ without a difference found, or the other way round, are no verdict at all.
 * @throws SEGMENT_INCOMPLETE when the figures contradict each other
 */
export function judge(comparison: Comparison, named: Named): Judgement {
  const { segments, segmentsExpected, sourceRows, targetRows } = comparison
  if (segments.length !== segmentsExpected || segments.some((segment, i) => segment.index !== i)) {
    broken(`${segments.length} of ${segmentsExpected} segments were completed.`)
  }
  const sum = (side: 'source_rows' | 'target_rows') => segments.reduce((rows, segment) => rows + BigInt(segment[side]), 0n)
  if (sum('source_rows') !== sourceRows || sum('target_rows') !== targetRows) broken('The segments do not hold as many rows as were read.')
  if (sourceRows - targetRows !== named.missing - named.extra) broken('The named differences do not explain the difference of the counts.')
  const uneven = segments.find((segment) => segment.source_sha256 === segment.target_sha256 && segment.source_rows !== segment.target_rows)
  if (uneven !== undefined) broken(`Segment ${uneven.index} has one digest and two counts.`)
  const root = (side: 'source' | 'target') =>
    sideRoot(
      segments.map((segment) => ({ index: segment.index, rows: BigInt(segment[`${side}_rows`]), sha256: segment[`${side}_sha256`] })),
    )
  const [sourceRoot, targetRoot] = [root('source'), root('target')]
  const differing = segments.filter((segment) => segment.source_sha256 !== segment.target_sha256)
  const all = named.missing + named.extra + named.changed
  if (differing.length > 0 !== all > 0n || (sourceRoot === targetRoot) !== (differing.length === 0)) {
    broken('Digests and rows contradict each other.')
  }
  const unexplained = differing.find((segment) => !named.segments.has(segment.index))
  if (unexplained !== undefined) broken(`Segment ${unexplained.index} differs, but no row in it does.`)
  const unmarked = segments.find((segment) => segment.source_sha256 === segment.target_sha256 && named.segments.has(segment.index))
  if (unmarked !== undefined) broken(`A row of segment ${unmarked.index} differs, but its digests do not.`)
  return { equal: all === 0n, sourceRoot, targetRoot, differing: differing.length }
}

/**
 * The second pass must have seen the rows that the first one did, and found the same of them to differ.
 * @throws SEGMENT_INCOMPLETE otherwise
 */
export function judgeTolerances(comparison: Comparison, exact: Named, pass: TolerancePass, named: Named): void {
  const { sourceRows, targetRows } = comparison
  const again = 'when the columns with a tolerance were read'
  if (pass.sourceRows !== sourceRows || pass.targetRows !== targetRows)
    broken(`The sides had ${sourceRows} and ${targetRows} rows, and ${pass.sourceRows} and ${pass.targetRows} ${again}.`)
  if (pass.compared + pass.missing !== sourceRows || pass.compared + pass.extra !== targetRows)
    broken(`Not every row was compared ${again}.`)
  if (pass.missing !== exact.missing || pass.extra !== exact.extra || (pass.exactlyChanged ?? 0n) !== exact.changed)
    broken(`Other rows differ than before ${again}.`)
  if (pass.exactlyChanged === null && exact.changed + exact.missing + exact.extra > 0n) broken(`Whole rows were not compared ${again}.`)
  let most = 0n
  let all = 0n
  for (const column of pass.columns) {
    const beyond = BigInt(column.beyond)
    if (BigInt(column.equal) + BigInt(column.within) + beyond !== pass.compared || BigInt(column.compared) !== pass.compared)
      broken(`Column ${JSON.stringify(column.column)} was not compared in every row.`)
    all += beyond
    if (beyond > most) most = beyond
  }
  if (named.missing !== pass.missing || named.extra !== pass.extra) broken('The rows named are not those that were found.')
  if (named.changed < most || named.changed < exact.changed || named.changed > exact.changed + all)
    broken('The rows named are not those that are beyond a tolerance.')
}

/** What differs, in one sentence; nothing where nothing does. */
export function differenceWords(named: Named, differing: number, segmentsExpected: number): string[] {
  const words = [[named.missing, 'missing'] as const, [named.extra, 'extra'] as const, [named.changed, 'changed'] as const].flatMap(
    ([rows, kind]) => (rows > 0n ? [`${rows} ${kind}`] : []),
  )
  if (words.length === 0) return []
  if (differing === 0) return [`Rows differ: ${words.join(', ')}, beyond a tolerance; no segment of the other columns differs.`]
  return [`Rows differ: ${words.join(', ')}; ${differing} of ${segmentsExpected} segments.`]
}
