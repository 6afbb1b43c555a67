import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { proofInShort } from '../../layers/core/approval-page/in-short.ts'
import { proofSections } from '../../layers/core/approval-page/proof-words.ts'
import { digestOf } from '../../layers/core/canonical-json.ts'
import { comparedSince, madeAt, newestComparison, newestInWords } from '../../layers/core/newest-comparison.ts'
import { judgeChecks, judgedCheck, judgedChecks } from '../../layers/core/outcome/check-findings.ts'
import { reportHtml } from '../../layers/core/report/html.ts'
import { reportMarkdown } from '../../layers/core/report/markdown.ts'
import { withNotice } from '../../layers/core/report/since-notice.ts'
import type { AuditEntry } from '../../layers/core/schemas/governance.ts'
import type { Plan } from '../../layers/core/schemas/plan.ts'
import type { CheckResult, ChecksReport } from '../../layers/core/schemas/recon.ts'
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
const bare: Plan = { ...proven.plan, checks: [] }
const checksOf = (checks: readonly CheckResult[] | null, of: Plan = bare): ChecksReport | null =>
  checks === null ? null : { ...proven.checks, run_id: later.run_id, plan_sha256: digestOf(of), checks: [...checks] }
/** The entry by which a run with these checks is closed. */
const closed = (checks: ChecksReport | null, run_id = later.run_id) =>
  entry('RECONCILIATION_CLOSED', { details: { run_id, ...(checks === null ? {} : { checks_report_sha256: digestOf(checks) }) } })
const newestOf = (plan: Plan, checks: readonly CheckResult[] | null, before: readonly CheckResult[] | null, entries: AuditEntry[] = []) =>
  newestComparison({
    plan,
    report: { ...later, plan_sha256: digestOf(plan) },
    checks: checksOf(checks, plan),
    proven: checksOf(before, plan),
    entries: [...entries, closed(checksOf(checks, plan))],
  })
const found = (report = later, checks: CheckResult[] | null = [], before: CheckResult[] | null = null, entries: AuditEntry[] = []) => {
  const about = { ...report, plan_sha256: digestOf(bare) }
  const { found, says } = newestComparison({
    plan: bare,
    report: about,
    checks: checksOf(checks),
    proven: checksOf(before),
    entries: [...entries, closed(checksOf(checks))],
  })
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
    const newest = newestComparison({ plan: proven.plan, report: { ...recon, verdict: 'fail' }, checks: null, proven: null, entries: [] })
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

describe('checks of a comparison', () => {
  const real = checksOf(proven.checks.checks, proven.plan)!
  const judged = (entries: AuditEntry[], checks = real) =>
    newestComparison({ plan: proven.plan, report: later, checks, proven: proven.checks, entries })
  const exchanged = checksOf(
    real.checks.map((each) => ({ ...each, verdict: 'pass' as const })),
    proven.plan,
  )!

  it('are those that the log closed its run with', () => {
    expect(judged([closed(real)]).found).toBe('equal')
    expect(judged([closed(real), closed(real)]).found).toBe('equal')
    expect(judged([closed(exchanged, 'another'), closed(real)]).found).toBe('equal')
    expect(judged([closed(exchanged)], exchanged).found).toBe('equal')
  })

  it.each<[string, AuditEntry[], RegExp]>([
    [
      'were exchanged',
      [closed(exchanged)],
      /^could not be decided: audit entry 0 closed run r20260302080000-r1 with other checks than these\.$/,
    ],
    ['are named by no entry', [], /does not record that run r20260302080000-r1 was closed with its checks\.$/],
    ['are named of another run alone', [closed(real, 'another')], /was closed with its checks/],
    ['are named by a run that failed or was superseded', [{ ...closed(real), action: 'RECONCILIATION_SUPERSEDED' }], /was closed/],
    ['were none when the run was closed', [closed(null)], /closed run .* with no checks/],
    ['are named once, and others once', [closed(exchanged), closed(real)], /other checks/],
    ['are named first, and others after that', [closed(real), closed(exchanged)], /other checks/],
  ])('decide nothing where they %s', (_how, entries, says) => {
    const newest = judged(entries)
    expect([newest.found, newest.says]).toEqual(['undecided', expect.stringMatching(says)])
  })

  it('cannot make rows that differ undecided', () => {
    const { recon } = fixtureReport({ lost: [1] })
    const report = { ...recon, verdict: 'fail' as const }
    expect(newestComparison({ plan: proven.plan, report, checks: real, proven: proven.checks, entries: [] }).found).toBe('differs')
  })
})

describe('orphans that the signed plan accepts', () => {
  const [rows, foreignKey] = proven.checks.checks as [CheckResult, CheckResult]
  const fk = (verdict: CheckResult['verdict'], orphans: string, inSource: string): CheckResult => ({
    ...foreignKey,
    verdict,
    figures: { orphan_rows: orphans, source_orphan_rows: inSource },
    explanation: `${orphans} orphans, ${inSource} of them in the source.`,
  })
  const against = (now: CheckResult[], before: CheckResult[], plan: Plan = proven.plan) => newestOf(plan, now, before).found

  it.each([
    ['that came to the source after the proof', fk('fail', '3', '3'), fk('pass', '0', '0')],
    ['that were there when it was proven', fk('fail', '3', '3'), fk('fail', '3', '3')],
    ['that became more in both', fk('fail', '5', '5'), fk('fail', '3', '3')],
  ])('make no difference, as in the proof: ones %s', (_which, now, before) => {
    expect(against([rows, now], [rows, before])).toBe('equal')
  })

  it('are no others: more than the source holds, or of a key that the plan wants enforced', () => {
    for (const before of [fk('fail', '3', '3'), fk('pass', '0', '0')]) {
      expect(newestOf(proven.plan, [rows, fk('fail', '4', '3')], [rows, before])).toMatchObject({
        found: 'differs',
        says: expect.stringContaining('4 orphans, 3 of them in the source'),
      })
    }
    const enforced = structuredClone(proven.plan)
    enforced.tables[1]!.foreign_keys[0]!.enforcement = 'enforced'
    expect(against([rows, fk('fail', '3', '3')], [rows, fk('pass', '0', '0')], enforced)).toBe('differs')
  })

  it('excuse no check that was not run', () => {
    for (const before of [fk('fail', '3', '3'), fk('pass', '0', '0'), fk('not-applicable', '0', '0')])
      expect(against([rows], [rows, before])).toBe('undecided')
    expect(against([fk('fail', '3', '3')], [rows, fk('fail', '3', '3')])).toBe('undecided')
  })

  it('are those of the plan that was proven, and of no other', () => {
    const report = { ...later, plan_sha256: 'b'.repeat(64) }
    expect(newestComparison({ plan: proven.plan, report, checks: proven.checks, proven: proven.checks, entries: [] })).toMatchObject({
      found: 'undecided',
      says: expect.stringContaining('another plan'),
    })
  })
})

const anyVerdict = fc.constantFrom<CheckResult['verdict']>('pass', 'fail', 'inconclusive', 'not-applicable')
const anyChecks = fc
  .tuple(
    fc.option(anyVerdict, { nil: undefined }),
    fc.option(fc.tuple(anyVerdict, fc.nat(3), fc.option(fc.nat(3))), { nil: undefined }),
    fc.option(fc.tuple(anyVerdict, fc.constantFrom<CheckResult['severity']>('CRITICAL', 'ERROR', 'WARNING', 'INFO')), { nil: undefined }),
  )
  .map(([rows, fk, other]): CheckResult[] => {
    const [rowCount, foreignKey] = proven.checks.checks as [CheckResult, CheckResult]
    return [
      ...(rows === undefined ? [] : [{ ...rowCount, verdict: rows }]),
      ...(fk === undefined
        ? []
        : [
            { ...foreignKey, verdict: fk[0], figures: { orphan_rows: `${fk[1]}`, source_orphan_rows: fk[2] === null ? null : `${fk[2]}` } },
          ]),
      ...(other === undefined ? [] : [{ ...check(other[0], other[1]), check_id: 'other' }]),
    ]
  })
/** What a proof made of these checks alone would be. */
const proofOf = (checks: CheckResult[]) => {
  const { integrity, completeness, consistency } = judgeChecks(proven.plan, checksOf(checks, proven.plan)!)
  const all = [integrity, completeness, consistency]
  return all.includes('FAIL') ? 'differs' : all.includes('INCONCLUSIVE') ? 'undecided' : 'equal'
}

it('after a proof that holds, checks are judged as that proof would judge them, save that none of them may be lost', () => {
  fc.assert(
    fc.property(anyChecks, anyChecks, (now, before) => {
      fc.pre(proofOf(before) === 'equal')
      const ran = new Set(now.map(({ check_id }) => check_id))
      const lost = before.some(({ check_id, verdict, severity }) => verdict === 'pass' && !ran.has(check_id) && /CRIT|ERR/.test(severity))
      const asProven = proofOf(now)
      expect(newestOf(proven.plan, now, before).found).toBe(asProven === 'equal' && lost ? 'undecided' : asProven)
    }),
    { numRuns: 500 },
  )
})

it('after a proof that does not hold, nothing is excused but what did not hold in it', () => {
  fc.assert(
    fc.property(anyChecks, anyChecks, (now, before) => {
      const excused = new Set(before.filter((each) => judgedCheck(proven.plan, each).standing !== 'holds').map(({ check_id }) => check_id))
      const left = judgedChecks(proven.plan, { checks: now }).filter(
        ({ result, standing }) => standing !== 'holds' && !excused.has(result.check_id),
      )
      if (left.length > 0) expect(newestOf(proven.plan, now, before).found).not.toBe('equal')
    }),
    { numRuns: 500 },
  )
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
