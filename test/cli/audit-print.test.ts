import { expect, it } from 'vitest'
import { printLog } from '../../cli/audit/print.ts'
import type { Terminal } from '../../cli/terminal.ts'
import type { AuditEntry } from '../../layers/core/schemas/governance.ts'

it('shows what an entry says without letting it move the cursor or begin a line', () => {
  const said: string[] = []
  const terminal: Terminal = {
    out: (text) => void said.push(text),
    err: () => {},
    paint: (_, text) => text,
    progress: () => {},
    endProgress: () => {},
    interactive: true,
  }
  const hostile = 'X\u001b[2J\u001b[1;1H\r\n   9  PLAN_APPROVED\u202e'
  const entry: AuditEntry = {
    seq: 0,
    prev_sha256: '0'.repeat(64),
    project_id: 'p',
    at: '2026-03-02T08:00:00.000Z',
    actor: hostile,
    action: hostile,
    subject_sha256: null,
    reasoning_sha256: null,
    details: { from: hostile, to: `${hostile}!`, [hostile]: hostile },
    entry_sha256: '0'.repeat(64),
  }
  printLog(terminal, { project: 'p', entries: [entry], fault: hostile, record: hostile }, true)
  expect(said.length).toBeGreaterThan(6)
  expect(said.filter((line) => /[\p{Cc}\u202e]/u.test(line))).toEqual([])
})
