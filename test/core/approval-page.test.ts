import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { planInShort, proofInShort } from '../../layers/core/approval-page/in-short.ts'
import { renderPicture, share } from '../../layers/core/approval-page/picture.ts'
import { changeSection } from '../../layers/core/approval-page/plan-changes.ts'
import { findingSection, planSections } from '../../layers/core/approval-page/plan-words.ts'
import { proofSections } from '../../layers/core/approval-page/proof-words.ts'
import { renderSection } from '../../layers/core/approval-page/section.ts'
import { approvalMail, type Occasion } from '../../layers/core/flow/approval-mail.ts'
import type { Finding } from '../../layers/core/schemas/finding.ts'
import type { Plan } from '../../layers/core/schemas/plan.ts'
import { approvalRequest } from '../contracts/samples.ts'
import { fixtureReport } from '../support/report-fixture.ts'
import { column, identityOf, planOf } from './support/plan.ts'

const texts = (before: Plan | null, now: Plan, limit = 400) => (changeSection(before, now, limit).items ?? []).map((item) => item.text)

describe('what changed since the last version', () => {
  const before = planOf()
  const [table] = before.tables
  const tables = (change: Partial<NonNullable<typeof table>>): Partial<Plan> => ({
    tables: [{ ...table!, ...change }, ...before.tables.slice(1)],
  })

  it('is nothing for the first plan, and for one that only has another time', () => {
    expect(changeSection(null, before, 400).says).toContain('first version')
    const later = planOf({ plan_version: 2, created_at: '2026-03-02T09:30:00.000Z', expires_at: '2026-03-06T09:00:00.000Z' })
    expect(texts(before, later)).toEqual([])
    expect(changeSection(before, later, 400).says).toContain('Nothing but the time')
  })

  const cases: [string, Partial<Plan>, RegExp][] = [
    ['the target', { target: { ...before.target, identity: identityOf('other') } }, /^The target: was .*, is now .*other/],
    ['the source', { source: { ...before.source, identity: identityOf('other') } }, /^The source: was/],
    ['the policy', { policy: { ...before.policy, version: '2027.1' } }, /^The policy: was .*, is now 2027\.1/],
    [
      'the content of a policy of the same version',
      { policy: { ...before.policy, sha256: 'a'.repeat(64) } },
      /^The policy’s content changed/,
    ],
    ['the author', { author: 'eve@example.com' }, /^The author: was .*, is now eve@/],
    ['a rulebook', { rulebooks: { ...before.rulebooks, hashing_spec_sha256: 'a'.repeat(64) } }, /^The rulebooks changed/],
    [
      'a filter',
      tables({ filter: { all: [{ column: 'country', op: 'eq', values: ['US'] }] } }),
      /other rows are moved\. Only rows .* country is US.* Before: /,
    ],
    ['the key', tables({ key: null }), /rows are identified by no key; before by/],
    ['a new column', tables({ columns: [...table!.columns, column('extra')] }), /column extra is new: copied as it is/],
    [
      'a column left out',
      tables({ columns: table!.columns.slice(1) }),
      new RegExp(`column ${table!.columns[0]!.target} is not moved any more`),
    ],
    [
      'a type',
      tables({ columns: table!.columns.map((each, at) => (at === 0 ? { ...each, target_type: 'xml' } : each)) }),
      /Its type was .* and is now xml/,
    ],
    [
      'what happens to a value',
      tables({ columns: table!.columns.map((each, at) => (at === 0 ? { ...each, transform: { kind: 'lowercase' as const } } : each)) }),
      /It was .*; now made lower-case/,
    ],
    [
      'an answer',
      { decisions: [{ decision_id: 'd-1', choice: 'round', answered_by: 'lead@example.com' }] },
      /d-1 is answered "round" by lead@example.com; it was not asked before/,
    ],
  ]
  for (const [what, change, says] of cases) {
    it(`names ${what}, there and back`, () => {
      expect(texts(before, planOf(change)).filter((text) => says.test(text))).toHaveLength(1)
      expect(texts(planOf(change), before).length).toBeGreaterThan(0)
    })
  }

  it('leaves no part of a plan out: every single value that differs is told', () => {
    // These differ from version to version whatever a person changes.
    const ofCourse = new Set(['schema', 'plan_version', 'created_at', 'expires_at'])
    const full = { ...before, decisions: [{ decision_id: 'd-1', choice: 'round', answered_by: 'lead@example.com' }] }
    const silent = leaves(full)
      // A `kind` decides the shape of what is beside it, and a filter has a shape of its own; the cases above have both.
      .filter((path) => !ofCourse.has(path[0]!) && !['kind', 'filter'].includes(path.at(-1)!))
      .filter((path) => texts(full, changedAt(full, path) as Plan).length === 0)
    expect(leaves(full).length).toBeGreaterThan(60)
    expect(silent.map((path) => path.join('/'))).toEqual([])
  })

  it('counts what it does not show', () => {
    const many = planOf(tables({ columns: [...table!.columns, ...Array.from({ length: 90 }, (_none, at) => column(`c${at}`))] }))
    const shown = texts(before, many)
    expect(shown).toHaveLength(41)
    expect(shown.at(-1)).toBe('50 more changes are not shown here. Compare the plan files before you decide.')
  })
})

/** Where every text, number, truth value and null of a document lies. */
function leaves(value: unknown, path: string[] = []): string[][] {
  if (typeof value !== 'object' || value === null) return [path]
  return Object.entries(value).flatMap(([name, inner]) => leaves(inner, [...path, name]))
}

function changedAt(value: unknown, [name, ...rest]: readonly string[]): unknown {
  if (name === undefined) return typeof value === 'boolean' ? !value : typeof value === 'number' ? value + 1 : `${value ?? ''}x`
  const copy = (Array.isArray(value) ? [...value] : { ...(value as object) }) as Record<string, unknown>
  copy[name] = changedAt(copy[name], rest)
  return copy
}

describe('findings', () => {
  const failed: Finding = {
    rule_id: 'tolerance-validator',
    verdict: 'fail',
    severity: 'WARNING',
    what: 'Too wide.',
    where: '/recon',
    remedy: 'Narrow it.',
  }
  const waived = {
    rule_id: failed.rule_id,
    where: '/recon',
    approver: 'dora@example.com',
    role: 'dba',
    reason: 'known',
    expires_at: '2026-04-01T00:00:00.000Z',
  }

  it('say who waived them, until when and why; a waiver of another finding changes nothing', () => {
    const lines = (list: (typeof waived)[]) => findingSection([failed], 60, list).items?.map(({ mark, text }) => `${mark}: ${text}`)
    expect(lines([])).toEqual(['warn: Too wide. What helps: Narrow it.'])
    expect(lines([waived])).toEqual(['care: Too wide. Waived by dora@example.com (dba) until 1 April 2026, 00:00 UTC: known'])
    expect(lines([{ ...waived, where: '/tables/0' }])).toEqual(lines([]))
  })
})

describe('in short', () => {
  const passed: Finding = { rule_id: 'hashing-validator', verdict: 'pass', severity: 'INFO', what: 'Fine.', where: '', remedy: '' }
  const marks = (lines: { mark: string }[]) => lines.map(({ mark }) => mark)

  it('a plan is all well only when nothing is lost, masked or left behind and every check passed', () => {
    const plan = planOf({ tables: planOf().tables.map((each) => ({ ...each, filter: null, columns: [column('a')] })) })
    const [table, ...others] = plan.tables
    expect(marks(planInShort(plan, [passed]))).toEqual(['note', 'good', 'good'])
    expect(planInShort(plan, []).at(-1)).toEqual({ mark: 'care', text: 'No check of the plan was made.' })
    for (const change of [
      { columns: [column('a', { lossy: true })] },
      { columns: [column('a', { transform: { kind: 'mask_redact' as const, value: 'x' } })] },
      { filter: { all: [{ column: 'a', op: 'is_null' as const, values: [] }] } },
    ]) {
      expect(marks(planInShort({ ...plan, tables: [{ ...table!, ...change }, ...others] }, [passed]))).toEqual(['note', 'care', 'good'])
    }
    for (const verdict of ['fail', 'inconclusive', 'not-applicable'] as const)
      expect(marks(planInShort(plan, [passed, { ...passed, verdict }]))).toEqual(['note', 'good', 'care'])
  })

  it('a proof is equal, differs, or is not known, and nothing else is called equal', () => {
    const { outcome } = fixtureReport()
    const said = (proof_status: 'VALID' | 'INVALID' | 'INCONCLUSIVE') =>
      proofInShort(
        { ...outcome, proof_certificate: { ...outcome.proof_certificate, proof_status } as typeof outcome.proof_certificate },
        planOf(),
      )
    expect(marks(said('VALID'))).toEqual(['good'])
    expect(marks(said('INVALID'))).toEqual(['bad'])
    expect(marks(said('INCONCLUSIVE'))).toEqual(['care'])
  })
})

describe('pictures', () => {
  it('show one wrong row among a billion, and never more than the whole', () => {
    const bar = renderPicture({
      label: 'Rows',
      says: 'one differs',
      parts: [
        { share: share(999_999_999n, 1_000_000_000n), mark: 'good' },
        { share: 0.000000001, mark: 'bad' },
      ],
    })
    expect(bar).toMatch(/class="bad" x="996" width="4"/)
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 6 }), (shares) => {
        const drawn = renderPicture({ label: 'a', says: 'b', parts: shares.map((each) => ({ share: each, mark: 'note' })) })
        for (const [, x, width] of drawn.matchAll(/class="note" x="(\d+)" width="(\d+)"/g))
          expect(Number(x) + Number(width)).toBeLessThanOrEqual(1000)
      }),
    )
  })

  it('of a proof say in words what they show, and draw nothing green where nothing was decided', () => {
    const { outcome } = fixtureReport({ lost: [1] })
    const [section] = proofSections(outcome, 50)
    expect(section?.pictures?.[0]?.says).toMatch(/ equal; 1 missing, 0 extra, 0 changed\./)
    expect(renderSection(section!, 0)).toContain('aria-hidden="true"')
    const proof = outcome.proof_certificate
    const undecided = {
      ...outcome,
      proof_certificate: { ...proof, tables: proof.tables.map((each) => ({ ...each, status: 'INCONCLUSIVE' as const })) },
    }
    const [first] = proofSections(undecided, 50)
    expect(first?.pictures?.[0]?.parts.map(({ mark }) => mark)).not.toContain('good')
    expect(first?.pictures?.[0]?.says).toContain('could not be decided')
  })
})

it('no mail lets a name turn text around, break a line in a header, or bring markup', () => {
  const occasions: Occasion[] = [
    { kind: 'asked' },
    { kind: 'reminded', since: '2026-03-01T10:00:00.000Z' },
    { kind: 'escalated', from: '"<b>x</b>\u202e"@example.com' },
    { kind: 'delegated', by: '<script>alert(1)</script>@example.com\r\nBcc: eve@example.com' },
    { kind: 'withdrawn' },
  ]
  const links = { page: 'http://localhost:1/approvals/a?t=x&y=1', passkey: 'http://localhost:1/passkeys/a?t=x' }
  for (const occasion of occasions) {
    const hostile = { title: 'Move <img src=x> \u202Eevil\u0000\r\nBcc: eve@example.com', author: 'a\u2066b@example.com' }
    const mail = approvalMail(hostile, approvalRequest('a1', 'g1'), occasion, links)
    expect(mail.subject + mail.text.replaceAll('\n', '') + mail.html.replaceAll('\n', '')).not.toMatch(/\p{Cc}|\p{Cf}/u)
    expect(mail.subject).not.toMatch(/[\r\n]/)
    expect(mail.html).not.toMatch(/<img|<script|<b>/)
    expect(mail.html.match(/href="([^"]+)"/g)).toEqual([
      'href="http://localhost:1/approvals/a?t=x&#38;y=1"',
      'href="http://localhost:1/passkeys/a?t=x"',
    ])
    expect(mail.text).toContain(links.page)
  }
})

describe('a long table', () => {
  const page = (foldAbove: number) =>
    renderSection(
      {
        title: 'Rows',
        tables: [
          {
            caption: 'By table',
            head: ['Table', 'Missing'],
            rows: [{ mark: 'good', cells: ['a.one', '0'] }, { mark: 'bad', cells: ['a.two', '7'] }, { cells: ['a.three', '0'] }],
            fold: { above: foldAbove, noun: ['table', 'tables'] },
          },
        ],
      },
      0,
    )

  it('is folded but for the rows that ask for a look, and loses none', () => {
    const [open, folded] = page(1).split('<details')
    expect(open).toContain('a.two')
    expect(open).not.toContain('a.one')
    expect(folded).toContain('<summary>1 of 3 tables needs a look; show the other 2</summary>')
    for (const name of ['a.one', 'a.three']) expect(folded).toContain(name)
  })

  it('that is short stays open', () => {
    expect(page(2)).not.toContain('<details')
  })

  it('hides no column whose value is another, goes by another name, or is about a person', () => {
    const [table] = planOf().tables
    const plain = Array.from({ length: 13 }, (_, at) => column(`plain_${at}`))
    const asking = [
      column('salary', { source: ['bonus'] }),
      column('ssn', { pii: true }),
      column('rate', { transform: { kind: 'scale', factor: '0.01', decimals: 2 } }),
      column('nobody', { source: [], source_types: [], transform: { kind: 'constant', value: null } }),
      column('joined', { source: ['a', 'b'], source_types: ['text', 'text'] }),
      column('number', { source_types: ['integer'] }),
    ]
    for (const one of asking) {
      const html = planSections(planOf({ tables: [{ ...table!, columns: [...plain, one] }] }), 400)
        .map(renderSection)
        .join('')
      const [open = '', folded = ''] = html.split('<details')
      expect([one.target, open.includes(`>${one.target}<`), folded.includes(`>${one.target}<`)]).toEqual([one.target, true, false])
    }
    const many = planOf({ tables: [{ ...table!, columns: [...plain, ...plain.map(({ target }) => column(`more_${target}`))] }] })
    expect(planSections(many, 14).map(renderSection).join('')).toContain('<summary>14 columns shown here, copied as they are</summary>')
  })

  it('of columns is a long plan: what is masked or loses information stands open, and a table without such says so', () => {
    const [table] = planOf().tables
    const plain = Array.from({ length: 7 }, (_, at) => column(`plain_${at}`))
    const masked = column('email', { transform: { kind: 'mask_redact', value: 'x' } })
    const plan = planOf({
      tables: [
        { ...table!, table_id: 't1', columns: [...plain, masked, column('price', { lossy: true })] },
        { ...table!, table_id: 't2', columns: plain },
      ],
    })
    const html = planSections(plan, 400).map(renderSection).join('')
    const [first = '', second = '', third = ''] = html.split('<details')
    expect(first).toContain('>email<')
    expect(first).toContain('>price<')
    expect(second).toContain('<summary>2 of 9 columns need a look; show the other 7, copied as they are</summary>')
    expect(third).toContain('<summary>7 columns, copied as they are</summary>')
    for (const { target } of plain) expect(html.split(`<th scope="row">${target}<`)).toHaveLength(3)
    expect(html).not.toContain('<details open')
    const short = planOf({ tables: [{ ...table!, columns: plain }] })
    expect(planSections(short, 400).map(renderSection).join('')).not.toContain('<details')
  })
})
