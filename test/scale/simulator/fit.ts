import { sizeOf } from '../../../layers/core/scale/estimate.ts'
import { COUNTED, type Counts, type Run, type Size } from '../../../layers/core/scale/model.ts'
import { countsOf } from './figures.ts'
import { SMALL, workloadOf } from './scenarios.ts'
import { type Part, simulate } from './simulate.ts'

type Cost = { counts: Counts; seconds: number }
type Observed = { size: Size; costs: Record<Run, Cost> }

/**
 * Each size is simulated so often, and the most counts. Anchors are made aside: a run that overtakes one has an anchor less to read and to write,
 * which at most every second run does, so that the most is the same in every fit, and no estimate says too little.
 */
const TIMES = 4

/** What the reconciliation grows with, among the terms of a size; the migration grows with all of them. */
const TERMS: Record<Run, readonly boolean[]> = {
  migration: [true, true, true, true, true],
  reconciliation: [true, true, false, false, true],
}

/** Coefficients of the model, by least squares over the small sizes. */
export async function fitted() {
  const observed: Observed[] = []
  for (const scenario of SMALL) {
    const runs: Record<Run, Part>[] = []
    for (let time = 0; time < TIMES; time++) {
      const { migration, nightly } = await simulate(scenario)
      if (nightly !== null) runs.push({ migration, reconciliation: nightly })
    }
    if (runs.length === 0) continue
    const costs = (run: Run) => mostOf(runs.map((each) => ({ counts: countsOf(each[run]), seconds: functionSeconds(each[run]) })))
    observed.push({ size: sizeOf(workloadOf(scenario)), costs: { migration: costs('migration'), reconciliation: costs('reconciliation') } })
  }
  const coefficients = (run: Run) => {
    const counts = observed.map(({ costs }) => costs[run].counts)
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
      observed.map(({ costs }) => costs[run].seconds),
    ).map(rounded)
  return {
    migration: coefficients('migration'),
    reconciliation: coefficients('reconciliation'),
    seconds: { migration: seconds('migration'), reconciliation: seconds('reconciliation') },
  }
}

/** Of each count, and of the seconds, the most that one of these runs has. */
export function mostOf(costs: readonly Cost[]): Cost {
  return {
    counts: Object.fromEntries(COUNTED.map((name) => [name, Math.max(...costs.map(({ counts }) => counts[name]))])) as Counts,
    seconds: Math.max(...costs.map(({ seconds }) => seconds)),
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

/** What is small for one table or task is multiplied by ten thousand of them. */
const rounded = (value: number) => Number(value.toFixed(Math.abs(value) < 1 ? 5 : 3))
