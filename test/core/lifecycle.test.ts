import { describe, expect, test } from 'vitest'
import { approvalsFor, canMove, canResume, gateOf, move, nextGate } from '../../layers/core/lifecycle.ts'
import { defaultPolicy } from '../../layers/core/rulebooks.ts'
import { gatedTransition } from '../../layers/core/schemas/policy.ts'
import { LIFECYCLE_STATES, type LifecycleState } from '../../layers/core/schemas/project.ts'

/** Every legal move, written out once more and apart from the code. */
const LEGAL = new Set(
  `CREATED>DISCOVERED CREATED>FAILED
   DISCOVERED>PLAN_DRAFTED DISCOVERED>REJECTED DISCOVERED>FAILED
   PLAN_DRAFTED>PLANNED PLAN_DRAFTED>REJECTED PLAN_DRAFTED>FAILED
   PLANNED>PLAN_DRAFTED PLANNED>EXECUTED PLANNED>REJECTED PLANNED>ROLLED_BACK PLANNED>FAILED
   EXECUTED>RECONCILED EXECUTED>ROLLED_BACK EXECUTED>FAILED
   RECONCILED>PR_CREATED RECONCILED>ROLLED_BACK RECONCILED>FAILED
   PR_CREATED>PARALLEL_VALIDATED PR_CREATED>REJECTED PR_CREATED>ROLLED_BACK PR_CREATED>FAILED
   PARALLEL_VALIDATED>CUTOVER_READY PARALLEL_VALIDATED>REJECTED PARALLEL_VALIDATED>ROLLED_BACK PARALLEL_VALIDATED>FAILED
   CUTOVER_READY>CUTOVER_DONE CUTOVER_READY>REJECTED CUTOVER_READY>ROLLED_BACK CUTOVER_READY>FAILED
   CUTOVER_DONE>EVIDENCE_COMPLETE CUTOVER_DONE>FAILED`.split(/\s+/),
)
const pairs = LIFECYCLE_STATES.flatMap((from) => LIFECYCLE_STATES.map((to) => [from, to] as const))

describe('lifecycle', () => {
  test.each(pairs)('%s → %s', (from, to) => {
    const legal = LEGAL.has(`${from}>${to}`)
    expect(canMove(from, to)).toBe(legal)
    if (legal) expect(() => move(from, to)).not.toThrow()
    else expect(() => move(from, to)).toThrow(expect.objectContaining({ code: 'ILLEGAL_TRANSITION' }))
  })

  test.each(pairs)('failed in %s, resuming in %s', (from, to) => {
    const anew = to === 'CREATED' && ['CREATED', 'DISCOVERED', 'PLAN_DRAFTED'].includes(from)
    const expected = from !== 'FAILED' && (to === from || anew || (to !== 'FAILED' && LEGAL.has(`${from}>${to}`)))
    expect(canResume(from, to)).toBe(expected)
  })

  test('the way from start to end passes every gate, and no gate can be passed by another way', () => {
    const way: LifecycleState[] = ['CREATED', 'DISCOVERED', 'PLAN_DRAFTED', 'PLANNED', 'EXECUTED', 'RECONCILED', 'PR_CREATED']
    way.push('PARALLEL_VALIDATED', 'CUTOVER_READY', 'CUTOVER_DONE', 'EVIDENCE_COMPLETE')
    const gates = way.slice(1).flatMap((to, at) => {
      move(way[at]!, to)
      return gateOf(way[at]!, to) ?? []
    })
    expect(gates).toEqual(gatedTransition.options)
    for (const gate of gatedTransition.options) {
      const [from, to] = gate.split('->') as [LifecycleState, LifecycleState]
      expect(LIFECYCLE_STATES.filter((state) => canMove(state, to))).toEqual([from])
      expect(nextGate(from)).toBe(gate)
    }
  })

  test('the default policy asks the people of the architecture', () => {
    expect(approvalsFor(defaultPolicy, 'PLAN_DRAFTED', 'PLANNED')).toEqual(['tech_lead'])
    expect(approvalsFor(defaultPolicy, 'PLANNED', 'EXECUTED')).toEqual(['data_owner', 'security'])
    expect(approvalsFor(defaultPolicy, 'PR_CREATED', 'PARALLEL_VALIDATED')).toEqual(['qa_lead'])
    expect(approvalsFor(defaultPolicy, 'PARALLEL_VALIDATED', 'CUTOVER_READY')).toEqual(['business_owner'])
    expect(approvalsFor(defaultPolicy, 'CUTOVER_READY', 'CUTOVER_DONE')).toEqual(['release_manager', 'data_owner'])
    expect(approvalsFor(defaultPolicy, 'CREATED', 'DISCOVERED')).toEqual([])
  })
})
