import { beforeEach, expect, it } from 'vitest'
import type { Terminal } from '../../cli/terminal.ts'
import type { ListedFinding } from '../../cli/waive/listed.ts'
import { nextWords, printFindings } from '../../cli/waive/words.ts'
import { LIFECYCLE_STATES, type ProjectRecord } from '../../layers/core/schemas/project.ts'
import { projectRecord } from '../contracts/samples.ts'

let said: string[]
const terminal: Terminal = {
  out: (text) => void said.push(text),
  err: () => {},
  paint: (_, text) => text,
  progress: () => {},
  endProgress: () => {},
  interactive: false,
}
beforeEach(() => {
  said = []
})

const failed = (from: ProjectRecord['failed_from']): ProjectRecord => ({ ...projectRecord('p1'), state: 'FAILED', failed_from: from })
const signed = { by: 'mara@example.org', until: '2026-04-01T00:00:00.000Z', passed: false }
const mailed = { to: 'mara@example.org', role: 'engineering_manager', at: '2026-03-01T00:00:00.000Z' }
const finding = (over: Partial<ListedFinding>): ListedFinding => ({
  finding_id: 'f-1',
  finding: { rule_id: 'tolerance-validator', verdict: 'fail', severity: 'ERROR', what: 'w', where: 'h', remedy: 'm' },
  barred: null,
  mailed: null,
  waived: null,
  ...over,
})

it('names the next step of a plan that a finding keeps from being signed', () => {
  const drafted = failed('PLAN_DRAFTED')
  expect(nextWords(drafted, [finding({ waived: signed })], ' --aws')).toBe('Go on with: waybill resume --aws p1')
  expect(nextWords(drafted, [finding({ waived: { ...signed, passed: true }, mailed })], ' --aws')).toMatch(/^Mailed to mara@example.org as/)
  expect(nextWords(drafted, [finding({})], '')).toMatch(/^The link that waives is mailed within a quarter/)
  expect(nextWords(drafted, [finding({ barred: 'so' })], '')).toBe(null)
  expect(nextWords(drafted, [], '')).toBe(null)
})

it('names none where the plan is signed, the project is over, or a run is at it', () => {
  const rest = LIFECYCLE_STATES.filter((state) => state !== 'FAILED').map((state) => ({ ...projectRecord('p1'), state }))
  const elsewhere = LIFECYCLE_STATES.filter((state) => state !== 'FAILED' && state !== 'PLAN_DRAFTED').map(failed)
  for (const project of [...rest, ...elsewhere])
    for (const one of [finding({}), finding({ mailed }), finding({ waived: signed })])
      expect([project.state, project.failed_from, nextWords(project, [one], '')]).toEqual([project.state, project.failed_from, null])
})

it('says that nothing keeps, or kept, a plan from being signed', () => {
  printFindings(terminal, failed('PLAN_DRAFTED'), [])
  printFindings(terminal, { ...projectRecord('p1'), state: 'REJECTED' }, [])
  printFindings(terminal, { ...projectRecord('p1'), state: 'REJECTED' }, [finding({ barred: 'it is over' })])
  expect(said.slice(0, 2)).toEqual([
    'No finding keeps this plan from being signed.',
    'No finding kept its plan from being signed; p1 is REJECTED.',
  ])
  expect(said.at(-1)).toBe('  It cannot be waived: it is over.')
})
