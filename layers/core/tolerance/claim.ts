import type { TableMapping } from '../schemas/proposal.ts'
import type { TableResult, ToleranceResult } from '../schemas/recon.ts'
import { exceeds } from './limit.ts'
import { type Tolerance, toleranceFault, toleranceInWords } from './request.ts'

const name = (column: string) => JSON.stringify(column)

/** What was found on each column that was held to a tolerance. Whoever says "equal" of such a table has to say this. */
export function toleranceSentences({ tolerances, verdict }: Pick<TableResult, 'tolerances' | 'verdict'>): string[] {
  return (tolerances ?? []).map((one) => {
    const held = `tolerance ${toleranceInWords(one)}${one.kind === 'relative' ? ' of the larger value' : ''}`
    const most = one.largest === null ? '' : ` by at most ${toleranceInWords({ kind: one.kind, value: one.largest })}`
    const within =
      one.within === '0'
        ? `no row of ${one.compared} differs within it`
        : `${one.within} of ${one.compared} rows ${one.within === '1' ? 'differs' : 'differ'}${most}`
    const beyond = one.beyond === '0' ? '' : `, ${one.beyond} by more`
    const what = verdict === 'pass' ? 'Equal within tolerance' : 'Held to a tolerance'
    return `${what} on column ${name(one.column)}: ${within}${beyond} (${held}).`
  })
}

/** `equal`, or that it was equal only within a tolerance. */
export function equalInWords({ tolerances }: Pick<TableResult, 'tolerances'>): string {
  return (tolerances ?? []).length === 0 ? 'equal' : 'equal within tolerance'
}

/** Where the figures of a table's tolerances contradict themselves or the table's counts. Nothing is taken from the verdict. */
export function toleranceFaults(result: TableResult): string[] {
  const faults: string[] = []
  const tolerances = result.tolerances ?? []
  const digested = new Set(result.columns.map((column) => column.name))
  const both = [BigInt(result.source_rows) - BigInt(result.missing), BigInt(result.target_rows) - BigInt(result.extra)]
  for (const [at, one] of tolerances.entries()) {
    const say = (what: string) => faults.push(`tolerance on column ${name(one.column)}: ${what}`)
    const fault = toleranceFault(one)
    if (fault !== null) say(`it ${fault}`)
    if (digested.has(one.column)) say('the column is digested exactly as well')
    if (tolerances.findIndex((other) => other.column === one.column) !== at) say('there are two')
    if (BigInt(one.equal) + BigInt(one.within) + BigInt(one.beyond) !== BigInt(one.compared))
      say(`${one.equal} equal, ${one.within} within and ${one.beyond} beyond are not ${one.compared} compared`)
    if (both.some((rows) => rows !== BigInt(one.compared)))
      say(`${one.compared} rows compared, where ${both[0]} source rows and ${both[1]} target rows have a counterpart`)
    if ((one.largest === null) !== (one.within === '0')) say('the largest deviation does not fit the rows within it')
    if (one.largest !== null && (exceeds(one.largest, one.value) || /^[0.]+$/.test(one.largest)))
      say(`a largest deviation of ${one.largest} is not within ${one.value}`)
    if (one.beyond !== '0' && result.verdict === 'pass') say(`the verdict is pass although ${one.beyond} rows are beyond it`)
    if (BigInt(one.beyond) > BigInt(result.changed)) say(`${one.beyond} rows are beyond it, ${result.changed} are called changed`)
  }
  for (const sentence of toleranceSentences(result))
    if (!result.reasons.includes(sentence)) faults.push(`the reasons do not say: ${sentence}`)
  return faults
}

/** Rows that only a tolerance can have named: at most so many. */
export function rowsBeyond(tolerances: readonly ToleranceResult[] | undefined): bigint {
  return (tolerances ?? []).reduce((sum, one) => sum + BigInt(one.beyond), 0n)
}

/** Where a decided result was held to other tolerances than the plan's, or left out a column because of them. */
export function unplannedTolerances(result: TableResult, planned: readonly Tolerance[], mapping: TableMapping | undefined): string[] {
  if (result.verdict !== 'pass' && result.verdict !== 'fail') return []
  const line = ({ column, kind, value }: Tolerance) => JSON.stringify([column, kind, value])
  const stated = (result.tolerances ?? []).map(line).sort()
  const wanted = planned.map(line).sort()
  if (stated.join('\n') === wanted.join('\n')) {
    if (wanted.length === 0) return []
    const compared = new Set([...result.columns.map((column) => column.name), ...planned.map((tolerance) => tolerance.column)])
    const left = mapping?.columns.find((column) => !compared.has(column.target))
    return left === undefined ? [] : [`column ${name(left.target)} was neither digested nor held to a tolerance`]
  }
  return [`held to the tolerances ${stated.join(' ') || 'none'}, the plan has ${wanted.join(' ') || 'none'}`]
}
