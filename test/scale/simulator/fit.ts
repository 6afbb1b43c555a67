import { sizeOf } from '../../../layers/core/scale/estimate.ts'
import { COUNTED, type Run, type Size } from '../../../layers/core/scale/model.ts'
import { countsOf } from './figures.ts'
import { SMALL, workloadOf } from './scenarios.ts'
import { type Part, simulate } from './simulate.ts'

type Observed = { size: Size; parts: Record<Run, Part> }

/** What the reconciliation grows with, among the terms of a size; the migration grows with all of them. */
const TERMS: Record<Run, readonly boolean[]> = {
  migration: [true, true, true, true, true],
  reconciliation: [true, true, false, false, true],
}

/** Coefficients of the model, by least squares over the small sizes. */
export async function fitted() {
  const observed: Observed[] = []
  for (const scenario of SMALL) {
    const { migration, nightly } = await simulate(scenario)
    if (nightly !== null) observed.push({ size: sizeOf(workloadOf(scenario)), parts: { migration, reconciliation: nightly } })
  }
  const coefficients = (run: Run) => {
    const counts = observed.map(({ parts }) => countsOf(parts[run]))
    const rows = observed.map(({ size }) => termsOf(size).filter((_, at) => TERMS[run][at]))
    return Object.fromEntries(
      COUNTED.map((name) => {
        const found = leastSquares(
          rows,
          counts.map((each) => each[name]),
        )
        return [name, TERMS[run].map((used) => (used ? rounded(found.shift()!) : 0))]
      }),
    )
  }
  /** Of the functions that a run waits for, one after another. */
  const seconds = (run: Run) =>
    leastSquares(
      observed.map(({ size }) => [1, size.tables]),
      observed.map(({ parts }) => functionSeconds(parts[run])),
    ).map(rounded)
  return {
    migration: coefficients('migration'),
    reconciliation: coefficients('reconciliation'),
    seconds: { migration: seconds('migration'), reconciliation: seconds('reconciliation') },
  }
}

const termsOf = (size: Size) => [1, size.tables, size.chunks, size.copyTasks, size.reconcileTasks]

/** Not waited for: who anchors, and who serves people. */
const ASIDE = new Set(['anchor-audit', 'approval-page', 'decide'])

function functionSeconds({ invocations }: Part): number {
  const waited = invocations.filter((each) => each.function && !ASIDE.has(each.name))
  return waited.reduce((sum, { ioMs, tally }) => sum + (ioMs - (tally['data.ms'] ?? 0)) / 1000, 0)
}

/** Solves the normal equations by elimination; a ridge of nothing to speak of keeps terms apart that grow together. */
export function leastSquares(rows: readonly (readonly number[])[], values: readonly number[]): number[] {
  const width = rows[0]!.length
  const matrix = Array.from({ length: width }, (_, i) => [
    ...Array.from({ length: width }, (_, j) => rows.reduce((sum, row) => sum + row[i]! * row[j]!, 0) + (i === j ? 1e-9 : 0)),
    rows.reduce((sum, row, at) => sum + row[i]! * values[at]!, 0),
  ])
  for (let pivot = 0; pivot < width; pivot++) {
    const best = matrix
      .slice(pivot)
      .reduce((most, row, at) => (Math.abs(row[pivot]!) > Math.abs(matrix[most]![pivot]!) ? pivot + at : most), pivot)
    ;[matrix[pivot], matrix[best]] = [matrix[best]!, matrix[pivot]!]
    for (let other = 0; other < width; other++) {
      if (other === pivot) continue
      const factor = matrix[other]![pivot]! / matrix[pivot]![pivot]!
      for (let at = pivot; at <= width; at++) matrix[other]![at]! -= factor * matrix[pivot]![at]!
    }
  }
  return matrix.map((row, at) => row[width]! / row[at]!)
}

const rounded = (value: number) => Number(value.toFixed(3))
