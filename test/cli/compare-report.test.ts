import { createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { maskedResult, maskOfThisRun } from '../../cli/compare/masking.ts'
import { claimOf, sampleConfidence, verdictOf } from '../../layers/core/comparison-report/claim.ts'
import { type Comparison, comparison as comparisonSchema } from '../../layers/core/comparison-report/comparison.ts'
import { junitXml } from '../../layers/core/comparison-report/junit.ts'
import { comparisonPage } from '../../layers/core/comparison-report/page.ts'
import type { TableResult } from '../../layers/core/schemas/recon.ts'
import { at, fixtureTable, withLostRow } from '../support/pack-fixture.ts'

const estimate = { tables: 1, rows: '3', bytes: '100', seconds: 1, reason: null }
function made(tables: TableResult[], more: Partial<Comparison> = {}): Comparison {
  const found = { tables, earlier: [], problems: [], interrupted: false, left_out: [], filter: [], ...more }
  const base = {
    schema: 'waybill/comparison/v1' as const,
    mode: 'full' as const,
    source: 'a on h:1',
    target: 'b on h:1',
    masked: false,
    sample: null,
    estimate,
    started_at: at(0),
    finished_at: at(9),
    ...found,
    verdict: verdictOf(found),
  }
  return comparisonSchema.parse({ ...base, claim: claimOf(base) })
}
const earlier = {
  source_object: 'public.old',
  target_object: 'public.old',
  rows: '5',
  source_root: '0'.repeat(64),
  target_root: '0'.repeat(64),
  snapshot: { source: '9:9:', target: '9:9:' },
  finished_at: at(1),
}
const undecided = fixtureTable('airports', [3], { verdict: 'inconclusive', reasons: ['STATEMENT_TIMEOUT: too slow'], segments: [] })

describe('what is claimed', () => {
  it('says equal only of everything compared, now, under one snapshot', () => {
    expect(made([fixtureTable('airports', [3])])).toMatchObject({
      verdict: 'pass',
      claim: 'Equal: every row of every table compared, both ways.',
    })
  })

  it('a difference does not hide what was not decided', () => {
    const lost = withLostRow(fixtureTable('airports', [3]))
    expect(made([lost, undecided]).claim).toBe('Not equal: 1 of 2 tables differs. 1 was not decided.')
    expect(made([lost]).claim).toBe('Not equal: 1 of 1 table differs.')
  })

  it('a condition that no row meets is not "equal"', () => {
    const none = { ...fixtureTable('airports', [0]), source_rows: '0', target_rows: '0' }
    expect(made([none], { filter: ['status = closd'] })).toMatchObject({
      verdict: 'inconclusive',
      claim: 'No row of either side meets status = closd: nothing was compared. This is not "equal".',
    })
    expect(made([none]).verdict).toBe('pass')
    expect(made([none, fixtureTable('flights', [3])], { filter: ['status = closed'] }).verdict).toBe('pass')
  })

  it('says what was compared earlier, within a table too, and what was in motion', () => {
    const resumed = { ...fixtureTable('airports', [3]), earlier_segments: { segments: 1, first: at(1), last: at(2) } }
    expect(made([resumed]).claim).toBe(
      `Equal: every row of every table compared, both ways. 1 segment of 1 table was compared by an earlier run (${at(1)} to ${at(2)}) and not again: not under one snapshot.`,
    )
    const old = { ...earlier, earliest_at: at(0) }
    expect(made([resumed], { earlier: [old] }).claim).toMatch(
      new RegExp(
        `1 of the 2 tables were compared by an earlier run \\(${at(0)} to ${at(1)}\\).* 1 segment of 1 table`.replaceAll('.0', '\\.0'),
      ),
    )
    const live = { keys: '12', settled: '12', differing: '0', unsettled: '0', reads: 3, deadline_ms: 9000, stable_ms: 4500 }
    expect(made([{ ...fixtureTable('airports', [3]), live }]).claim).toBe(
      'Equal: every row of every table compared, both ways. 12 keys were in motion and settled: read again until equal on both sides.',
    )
    const other = { ...fixtureTable('flights', [3]), snapshot: { source: '8:8:', target: '8:8:' } }
    expect(made([{ ...fixtureTable('airports', [3]), live }, other]).claim).toMatch(
      /in motion and settled.* compared at different times, not under one snapshot/,
    )
  })

  it.each<[string, Comparison]>([
    ['nothing compared', made([])],
    ['one undecided', made([fixtureTable('airports', [3]), undecided])],
    ['interrupted', made([fixtureTable('airports', [3])], { interrupted: true })],
    ['a problem', made([fixtureTable('airports', [3])], { problems: [{ table: 'x', verdict: 'inconclusive', what: 'no' }] })],
    ['a sample', made([{ ...fixtureTable('airports', [3]), verdict: 'inconclusive', reasons: ['sample'] }], { mode: 'sample' })],
    [
      'figures',
      made([{ ...undecided, aggregates: [{ column: 'c', kind: 'count', source: '1', target: '1', verdict: 'pass' }] }], {
        mode: 'aggregates',
      }),
    ],
  ])('does not call it equal: %s', (_, comparison) => {
    expect(comparison.verdict).toBe('inconclusive')
    expect(comparison.claim).not.toMatch(/^Equal/)
    expect(comparisonPage(comparison)).toContain('Not decided')
    expect(junitXml(comparison)).toMatch(/errors="[1-9]/)
  })

  it('a difference wins over everything else', () => {
    const differing = withLostRow(fixtureTable('airports', [3, 4]))
    expect(made([differing, undecided], { interrupted: true })).toMatchObject({ verdict: 'fail' })
    expect(made([differing, undecided]).claim).toBe('Not equal: 1 of 2 tables differs. 1 was not decided.')
  })

  it('never claims one snapshot over tables of an earlier run, nor over a snapshot that was opened again', () => {
    expect(made([fixtureTable('airports', [3])], { earlier: [earlier] }).claim).toMatch(
      /1 of the 2 tables .* earlier run .* not under one snapshot/,
    )
    expect(made([], { earlier: [earlier] }).claim).toMatch(/1 of the 1 tables .* earlier run/)
    const later = fixtureTable('flights', [2], { snapshot: { source: '1:1:', target: '7:7:' } })
    expect(made([fixtureTable('airports', [3]), later]).claim).toMatch(/different times/)
  })

  it('limits itself to the filter', () => {
    expect(made([fixtureTable('airports', [3])], { filter: ['tenant=4'] }).claim).toMatch(/^Equal where tenant=4.*other rows were not/)
  })

  it('knows the chance of a sample', () => {
    expect(sampleConfidence(0.01, 100n)).toBeCloseTo(1 - 0.99 ** 100, 12)
    expect(sampleConfidence(0.5, 1n)).toBeCloseTo(0.5, 12)
    expect(sampleConfidence(1e-12, 1n)).toBeCloseTo(1e-12, 20)
    expect(sampleConfidence(0.01, 0n)).toBe(0)
  })
})

describe('masking', () => {
  const table = withLostRow(fixtureTable('airports', [3, 4]))
  const secret: TableResult = {
    ...table,
    mode: 'ordered',
    segments: table.segments.map((segment) => ({ ...segment, range: '[s3cret; z)' })),
    mismatches: [
      {
        kind: 'changed',
        segment: 0,
        key: [{ column: 'k', value: 's3cret' }],
        columns: [{ column: 'c', source: 's3cret', target: null }],
        source_count: '1',
        target_count: '1',
      },
    ],
    ordering: {
      order_key: 'k',
      verdict: 'pass',
      violations: '0',
      first_source: 's3cret',
      first_target: 's3cret',
      last_source: 's3cret',
      last_target: 's3cret',
      reason: null,
    },
    aggregates: [{ column: 'k', kind: 'min', source: 's3cret', target: 's3cret', verdict: 'pass' }],
  }

  it('is HMAC-SHA-256', () => {
    const key = Buffer.alloc(32, 0xa7)
    for (const value of ['', 'añ😀', 'x'.repeat(1000)]) {
      expect(maskOfThisRun(key)(value)).toBe(`hmac:${createHmac('sha256', key).update(value).digest('hex').slice(0, 24)}`)
    }
    expect(maskOfThisRun(key)(null)).toBeNull()
  })

  it('leaves no value anywhere, keeps equal values equal within the run and unlike those of another run', () => {
    const mask = maskOfThisRun()
    const masked = maskedResult(secret, mask)
    expect(JSON.stringify(masked)).not.toContain('s3cret')
    const [mismatch] = masked.mismatches
    expect(mismatch!.key[0]!.value).toBe(mismatch!.columns[0]!.source)
    expect(mismatch!.columns[0]!.target).toBeNull()
    expect(mismatch!.key[0]!.value).not.toBe(maskOfThisRun()('s3cret'))
    const comparison = made([masked])
    expect(comparisonPage(comparison) + junitXml(comparison)).not.toContain('s3cret')
  })
})

describe('JUnit and HTML', () => {
  it('escape names of strangers', () => {
    const hostile = {
      ...withLostRow(fixtureTable('airports', [3])),
      source_object: 'x."><script>alert(1)</script>\u0007]]>',
      reasons: ['<b>&"'],
    }
    const page = comparisonPage(made([hostile]))
    expect(page).not.toContain('<script>')
    const xml = junitXml(made([hostile]))
    expect(xml).not.toContain('<script>')
    expect(xml).not.toContain('\u0007')
    expect(xml).toContain('&#60;b&#62;&#38;&#34;')
    expect(xml.match(/<testcase /g)).toHaveLength(1)
    expect(xml).toMatch(/tests="1" failures="1" errors="0"/)
  })

  it('the page shows the heat map of what differs only', () => {
    const page = comparisonPage(made([withLostRow(fixtureTable('airports', [3, 4])), fixtureTable('flights', [2])]))
    expect(page.match(/class="map"/g)).toHaveLength(1)
    expect(page).toContain('prefers-color-scheme:dark')
    expect(page).not.toMatch(/https?:\/\//)
  })
})

describe('what was not compared', () => {
  it('is named beside "equal"', () => {
    const equal = made([fixtureTable('airports', [3])], { left_out: ['column x of public.airports'] })
    expect(equal.claim).toContain('Not compared: column x of public.airports.')
  })
})
