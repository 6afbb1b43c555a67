import type { AuditEntry } from '../schemas/governance.ts'
import type { NightResult } from '../schemas/night.ts'

/** How each result stands in the audit log. */
export const NIGHT_ACTIONS: Readonly<Record<NightResult, string>> = {
  clean: 'NIGHT_CLEAN',
  mismatch: 'NIGHT_MISMATCHED',
  undecided: 'NIGHT_UNDECIDED',
  skipped: 'NIGHT_SKIPPED',
}
const RESULTS = new Map(Object.entries(NIGHT_ACTIONS).map(([result, action]) => [action, result as NightResult]))

/** `seq`: of its entry. */
export type RecordedNight = { seq: number; night: string; run_id: string; result: NightResult; plan_sha256: string }

/** The nights of an audit chain, in its order. Nothing takes one away again. */
export function recordedNights(entries: readonly AuditEntry[]): RecordedNight[] {
  return entries.flatMap(({ seq, action, details }) => {
    const result = RESULTS.get(action)
    const { night, run_id, plan_sha256 } = details
    if (result === undefined || !night || !run_id || !plan_sha256) return []
    return [{ seq, night, run_id, result, plan_sha256 }]
  })
}

export type CleanNights = {
  /** Distinct nights in a row without a mismatch between them, each with the run that showed it last. */
  nights: ReadonlyMap<string, string>
  /** The newest result that decided anything. */
  last: RecordedNight | null
}

/**
 * Clean nights since the last mismatch. Two clean runs in one night are one; a skipped or undecided night neither counts nor takes anything
 * away; a mismatch takes away everything, also what was clean earlier in the same night.
 */
export function cleanNights(recorded: readonly RecordedNight[]): CleanNights {
  const nights = new Map<string, string>()
  let last: RecordedNight | null = null
  for (const one of recorded) {
    if (one.result === 'skipped' || one.result === 'undecided') continue
    last = one
    if (one.result === 'mismatch') nights.clear()
    else nights.set(one.night, one.run_id)
  }
  return { nights, last }
}

/**
 * The number of the entry by which people last agreed to the parallel run: nights before it are no part of it. A number beyond every entry where
 * nobody has.
 */
export function parallelRunApprovedAt(entries: readonly AuditEntry[]): number {
  const approved = entries.findLast(
    ({ action, details }) =>
      action === 'DECISION_TAKEN' && details.transition === 'PR_CREATED->PARALLEL_VALIDATED' && details.decision === 'APPROVED',
  )
  return approved?.seq ?? Number.MAX_SAFE_INTEGER
}
