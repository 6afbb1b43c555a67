import { describe, expect, it } from 'vitest'
import { proofInShort } from '../../layers/core/approval-page/in-short.ts'
import { proofSections } from '../../layers/core/approval-page/proof-words.ts'
import { comparedSince, madeAt, newestComparison, newestInWords } from '../../layers/core/newest-comparison.ts'
import { reportHtml } from '../../layers/core/report/html.ts'
import { reportMarkdown } from '../../layers/core/report/markdown.ts'
import { withNotice } from '../../layers/core/report/since-notice.ts'
import type { AuditEntry } from '../../layers/core/schemas/governance.ts'
import type { CheckResult } from '../../layers/core/schemas/recon.ts'
import { fixtureReport } from '../support/report-fixture.ts'

const proven = fixtureReport()
const later = { ...proven.recon, run_id: 'r20260302080000-r1' }
const entry = (action: string, more: Partial<AuditEntry> = {}): AuditEntry => ({
  seq: 0,
  prev_sha256: '0'.repeat(64),
  project_id: 'p',
  at: '2026-03-02T08:00:00.000Z',
  actor: 'waybill/test',
  action,
  subject_sha256: null,
  reasoning_sha256: null,
  details: { run_id: later.run_id },
  entry_sha256: '0'.repeat(64),
  ...more,
})
const check = (verdict: CheckResult['verdict'], severity: CheckResult['severity'] = 'ERROR'): CheckResult => ({
  ...proven.checks.checks[0]!,
  check_id: 'orphans',
  verdict,
  severity,
  explanation: '7 orphans.',
})
const found = (report = later, checks: CheckResult[] | null = [], before: CheckResult[] | null = null, entries: AuditEntry[] = []) => {
  const { found, says } = newestComparison({ report, checks, proven: before, entries })
  return [found, says]
}

describe('the newest comparison', () => {
  it('is the last that the log names, unless the proof is about it', () => {
    const own = entry('RECONCILIATION_MERGED', { subject_sha256: proven.outcome.inputs.recon_report_sha256 })
    const other = entry('RECONCILIATION_MERGED', { subject_sha256: 'a'.repeat(64) })
    expect(comparedSince([], proven.outcome)).toBeNull()
    expect(comparedSince([other, own], proven.outcome)).toBeNull()
    expect(comparedSince([own, other, entry('RECONCILIATION_CLOSED')], proven.outcome)).toBe(other)
  })

  it('differs where a check fails that there was nothing to ask of when the proof was made', () => {
    expect(found(later, [check('fail')], [check('not-applicable')])[0]).toBe('differs')
    expect(found(later, [check('inconclusive')], [check('not-applicable')])[0]).toBe('undecided')
    expect(found(later, [check('fail')], [])[0]).toBe('differs')
    expect(found(later, [check('fail', 'WARNING')], [check('not-applicable', 'WARNING')])[0]).toBe('equal')
  })

  it('says what rows differ, and that the proof was valid for its moment', () => {
    const { recon } = fixtureReport({ lost: [1, 2] })
    const newest = newestComparison({ report: { ...recon, verdict: 'fail' }, checks: null, proven: null, entries: [] })
    expect([newest.found, newest.says]).toEqual([
      'differs',
      'found that they differ: 2 rows missing, 0 extra, 0 changed, in 1 of 2 tables.',
    ])
    expect(newestInWords(newest, proven.outcome)).toMatch(
      /The proof of [-\d]+ [:\d]+ UTC was valid for its moment; it no longer says what is so\.$/,
    )
    expect(found({ ...later, verdict: 'inconclusive', reasons: ['the server went away'] })).toEqual([
      'undecided',
      'could not be decided: the server went away',
    ])
  })

  it('is decided by a check that held when the proof was made, and by no other', () => {
    expect(found(later, [check('fail')], [check('pass')])).toEqual(['differs', expect.stringContaining('7 orphans')])
    expect(found(later, [check('inconclusive', 'CRITICAL')], [check('pass')])[0]).toBe('undecided')
    for (const [now, before] of [
      [[check('fail')], [check('fail')]],
      [[check('fail', 'WARNING')], [check('pass')]],
      [[check('pass')], [check('pass')]],
      [[], [check('pass', 'WARNING')]],
    ] as const)
      expect(found(later, now && [...now], [...before])[0]).toBe('equal')
  })

  it('is not decided by rows whose checks were not run, all or one that held', () => {
    const held = [check('pass')]
    expect(found(later, null, held)).toEqual(['undecided', 'found every row in both, and its checks were not completed, or are not yet.'])
    const failed = (run_id: string) => entry('RECONCILIATION_FAILED', { details: { run_id, reason: 'The target went away.' } })
    expect(found(later, null, held, [failed(later.run_id), failed('another')])[1]).toMatch(/not completed: The target went away\.$/)
    expect(found(later, [{ ...check('pass'), check_id: 'another' }], held)).toEqual([
      'undecided',
      'could not be decided: The check orphans held when the proof was made, and was not run.',
    ])
  })

  it('is what its own night is recorded as, whatever its rows say', () => {
    const night = (action: string, run_id = later.run_id) => entry(action, { details: { run_id, reason: 'Rows are out of order.' } })
    expect(found(later, [], null, [night('NIGHT_MISMATCHED')])).toEqual(['differs', 'was no clean night: Rows are out of order.'])
    expect(found(later, [], null, [night('NIGHT_UNDECIDED')])[0]).toBe('undecided')
    expect(found(later, [], null, [night('NIGHT_MISMATCHED', 'another')])[0]).toBe('equal')
  })
})

describe('a report written after a newer comparison', () => {
  const at = { run_id: later.run_id, at: later.finished_at }
  const says = 'found that <b>they</b> differ'

  it('begins with what was found, escaped, and is otherwise the one that was stored', () => {
    const [html, md] = [reportHtml(proven), reportMarkdown(proven)]
    const differs = { ...at, found: 'differs' as const, says }
    const noticed = withNotice('html', html, differs, proven.outcome)
    expect(noticed.indexOf('Since then: source and target differ')).toBeLessThan(noticed.indexOf('Proven: nothing lost'))
    expect([noticed.includes('<b>they'), noticed.includes('&#60;b&#62;they')]).toEqual([false, true])
    const main = html.indexOf('<main>') + '<main>\n'.length
    expect([noticed.slice(0, main), noticed.endsWith(html.slice(main))]).toEqual([html.slice(0, main), true])
    expect(withNotice('md', md, differs, proven.outcome)).toMatch(/^> \*\*❌ Since then.*&#60;b&#62;they/)
    expect(withNotice('html', 'of another shape', { ...differs, found: 'undecided' }, proven.outcome)).toMatch(
      /not decided[\s\S]*of another shape$/,
    )
  })

  it('is the one that was stored where nothing else was found', () => {
    for (const newest of [null, { ...at, found: 'equal' as const, says }])
      expect(withNotice('html', 'stored', newest, proven.outcome)).toBe('stored')
  })
})

it('whoever decides is told when the proof was made, on the page and in the report', () => {
  const made = madeAt(proven.outcome)
  expect(made).toMatch(/^[-\d]{10} [:\d]{8} UTC$/)
  expect(proofInShort(proven.outcome, proven.plan)[0]!.text).toContain(`On ${made} source and target were equal`)
  expect(proofSections(proven.outcome, 5)[0]!.says).toContain(`on ${made}. `)
  expect(proofSections(proven.outcome, 5)[0]!.says).toContain('nothing asks how old it is')
  expect([reportHtml(proven), reportMarkdown(proven)]).toEqual([
    expect.stringContaining(`As of ${made}`),
    expect.stringContaining(`as of ${made}`),
  ])
})
