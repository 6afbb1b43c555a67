import { describe, expect, it } from 'vitest'
import { standsWrong } from '../../functions/work/standing.ts'
import { LIFECYCLE_STATES } from '../../layers/core/schemas/project.ts'

const PURPOSES = ['write', 'read', 'undo'] as const
/** What may be done in which state; in every other state nothing may. */
const MAY: Readonly<Record<string, readonly (typeof PURPOSES)[number][]>> = {
  PLANNED: ['write', 'undo'],
  EXECUTED: ['read', 'undo'],
  RECONCILED: ['read', 'undo'],
  PR_CREATED: ['read', 'undo'],
  PARALLEL_VALIDATED: ['read', 'undo'],
  CUTOVER_READY: ['read', 'undo'],
  CUTOVER_DONE: ['read'],
  EVIDENCE_COMPLETE: ['read'],
}
const places = LIFECYCLE_STATES.flatMap((state) =>
  [null, ...LIFECYCLE_STATES].flatMap((failed_from) => PURPOSES.map((purpose) => ({ state, failed_from, purpose }))),
)

describe('where a project stands', () => {
  it.each(LIFECYCLE_STATES)('in %s decides who may act, wherever it may have failed', (state) => {
    for (const { failed_from, purpose } of places.filter((place) => place.state === state)) {
      const refusedCutover = state === 'FAILED' && failed_from === 'CUTOVER_READY' && purpose === 'read'
      const says = standsWrong({ state, failed_from }, purpose)
      expect([purpose, failed_from, says === null]).toEqual([purpose, failed_from, refusedCutover || (MAY[state] ?? []).includes(purpose)])
      if (says !== null) expect(says).toContain(`the project is in the state ${state}, and `)
    }
  })
})
