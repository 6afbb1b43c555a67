import { describe, expect, it } from 'vitest'
import { reconciliationOf } from '../../cli/platform/platform.ts'
import { nightsInWords, printNights } from '../../cli/run/nights.ts'
import type { Terminal } from '../../cli/terminal.ts'
import { nightOf } from '../core/nights/samples.ts'

describe('a reconciliation by hand', () => {
  const now = new Date('2026-03-29T00:05:59.000Z')

  it('as a night has the name under which a schedule would start it, and says when it was to begin', () => {
    expect(reconciliationOf('flights', now, true)).toEqual({
      started: { projectId: 'flights', runId: 'recon-flights-20260329-0005', execution: 'recon-flights-20260329-0005' },
      input: { project_id: 'flights', run_id: 'recon-flights-20260329-0005', purpose: 'night', scheduled: '2026-03-29T00:05:59.000Z' },
    })
  })

  it('otherwise is no night', () => {
    expect(reconciliationOf('flights', now, false).input).toEqual({ project_id: 'flights', run_id: 'r20260329000559' })
  })

  it('of a project whose name leaves no room is refused', () => {
    expect(reconciliationOf('p'.repeat(60), now, true).started.runId).toHaveLength(80)
    expect(() => reconciliationOf('p'.repeat(61), now, true)).toThrow(/at most 60 characters/)
  })
})

describe('the trend', () => {
  const lines: string[] = []
  const terminal = { out: (text: string) => lines.push(text) } as unknown as Terminal

  it('is a line a night, and what counts', () => {
    printNights(terminal, {
      nights: [nightOf(1), nightOf(2, 'mismatch'), nightOf(3, 'skipped', { reason: 'Outside the window.' })],
      clean: 0,
    })
    const text = lines.join('\n')
    expect(text).toMatch(/2026-03-01\s+clean\s+5,978,599\s+0\s+4\.25\s+1,406,729/)
    expect(text).toMatch(/2026-03-02\s+differs\s+5,978,599\s+1,207/)
    expect(text).toContain('0 clean nights; the newest, 2026-03-03, not compared: Outside the window.')
  })

  it('of a project without nights is nothing', () => {
    expect(nightsInWords({ nights: [], clean: 0 })).toBeNull()
    expect(nightsInWords({ nights: [nightOf(4)], clean: 1 })).toBe('1 clean night; the newest, 2026-03-04, is clean')
  })
})
