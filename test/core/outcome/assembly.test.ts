import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { canonicalBytes, digestOf, parseStrictJson } from '../../../layers/core/canonical-json.ts'
import { arithmeticFaults } from '../../../layers/core/outcome/arithmetic.ts'
import { assembleOutcome } from '../../../layers/core/outcome/assembly.ts'
import { samplingConfidence } from '../../../layers/core/outcome/confidence.ts'
import { segmentRoot } from '../../../layers/core/outcome/table-recomputation.ts'
import { nullPointers, outcome as outcomeSchema } from '../../../layers/core/schemas/outcome.ts'
import type { ReconReport } from '../../../layers/core/schemas/recon.ts'
import { fixtureChecks, fixtureOutcomeInput, fixturePlan, fixtureRecon, fixtureTable, withLostRow } from '../../support/pack-fixture.ts'

const plan = fixturePlan()
const assemble = (reconReport: ReconReport, more: object = {}) => assembleOutcome(fixtureOutcomeInput(plan, { reconReport, ...more }))

describe('assembling an outcome', () => {
  const good = assembleOutcome(fixtureOutcomeInput(plan))

  it('proves a migration in which every segment agrees', () => {
    const formula = {
      I_t_integrity: 1,
      C_t_completeness: 1,
      K_t_consistency: 1,
      O_t_ordering: 1,
      PROOF_VALID: true,
      proof_confidence: 0.999999,
    }
    expect(good.proof_certificate.proof_formula_evaluation).toEqual(formula)
    expect(good.rollback_verdict).toMatchObject({ rollback_decision: 'CONTINUE', bps_current: 0, bps_status: 'NOMINAL' })
    expect(good.proof_certificate.completeness_result).toMatchObject({
      source_record_count: 65,
      target_record_count: 65,
      completeness_ratio: 1,
    })
  })

  it('contradicts itself nowhere and survives canonical JSON', () => {
    expect(arithmeticFaults(good)).toEqual([])
    expect(outcomeSchema.parse(parseStrictJson(canonicalBytes(good)))).toEqual(good)
  })

  it('claims no recovery that nobody tried', () => {
    expect(good.rollback_verdict.risk_assessment.recovery_capability).toBeNull()
    expect(good.not_measured['/rollback_verdict/risk_assessment/recovery_capability']).toContain('no roll-back ran')
  })

  it('says from how many chunks its times come, and what a 99th percentile of few is', () => {
    const { actual_performance: actual, throughput_metrics: throughput } = good.performance_slo_compliance
    expect(actual.latency_basis).toMatch(/^n = 3 chunks .* fewer than 100 chunks, the 99th percentile is the slowest/)
    expect(actual.latency_p99_ms).toBe(7000)
    expect(actual.elapsed_basis).toMatch(/first start to the last end of 3 chunks, on the clocks of the workers/)
    expect(throughput.throughput_basis).toContain('3 chunks ÷ processing_time_seconds')
    const [chunk] = fixtureOutcomeInput(plan).executionReport.chunks
    const withChunks = (count: number, already_done = false) => {
      const executionReport = fixtureOutcomeInput(plan).executionReport
      const chunks = Array.from({ length: count }, (_, at) => ({ ...chunk!, chunk_id: `c-${at}`, already_done }))
      return assembleOutcome(fixtureOutcomeInput(plan, { executionReport: { ...executionReport, chunks } })).performance_slo_compliance
        .actual_performance
    }
    expect(withChunks(99).latency_basis).toContain('slowest')
    expect(withChunks(100).latency_basis).not.toContain('slowest')
    expect(withChunks(4, true)).toMatchObject({ latency_basis: 'no chunk was copied in this run', latency_p99_ms: null })
    expect(withChunks(4, true).elapsed_basis).toContain('4 of them found already done')
  })

  it('says which first and last records were read, and invents none of a file', () => {
    const read = 'flights: first and last record were read on the target; the source has the same, because every record is equal'
    expect(good.proof_certificate.ordering_result.reasons).toContain(read)
    const lost = withLostRow(fixtureTable('flights', [20, 20, 20]))
    const differing = fixtureRecon(plan, [fixtureTable('airports', [5]), lost])
    const table = assemble(differing).proof_certificate.ordering_result
    expect(table.reasons).not.toContain(read)
    expect(table.first_record_source).toEqual({ flown_at: 'a' })
    const fromFile = structuredClone(plan)
    fromFile.tables[1]!.source = { schema: 'files', name: 'flights.csv', kind: 'file' }
    const reconReport = { ...fixtureRecon(fromFile, differing.tables) }
    const outcome = assembleOutcome(fixtureOutcomeInput(fromFile, { reconReport }))
    expect(outcome.proof_certificate.ordering_result).toMatchObject({
      first_record_source: null,
      last_record_source: null,
      first_record_target: { flown_at: 'a' },
    })
    expect(outcome.not_measured['/proof_certificate/ordering_result/first_record_source']).toContain('file is not read again')
  })

  it('gives the same document for the same input', () => {
    expect(digestOf(assembleOutcome(fixtureOutcomeInput(plan)))).toBe(digestOf(good))
  })

  it('has a reason for every null, and the schema refuses one without', () => {
    const { not_measured: reasons, ...figures } = good
    expect(nullPointers(figures).toSorted()).toEqual(Object.keys(reasons).toSorted())
    const [pointer, ...rest] = Object.keys(reasons)
    const without = { ...good, not_measured: Object.fromEntries(rest.map((key) => [key, reasons[key]])) }
    expect(outcomeSchema.safeParse(without).error?.issues[0]?.message).toContain(pointer)
    const stray = { ...good, not_measured: { ...reasons, '/timestamp': 'no reason at all' } }
    expect(outcomeSchema.safeParse(stray).success).toBe(false)
  })

  it('shows accepted orphans as a WARNING with their figure, and proves consistency', () => {
    expect(good.proof_certificate.consistency_result.status).toBe('PASS')
    expect(good.findings).toContainEqual(
      expect.objectContaining({
        id: 'fk-origin',
        severity: 'WARNING',
        accepted: true,
        figures: { orphan_rows: '3', source_orphan_rows: '3' },
      }),
    )
  })

  it('does not accept orphans that the source did not have', () => {
    const checks = fixtureChecks(plan)
    checks.checks[1]!.figures = { orphan_rows: '4', source_orphan_rows: '3' }
    const outcome = assembleOutcome(fixtureOutcomeInput(plan, { checksReport: checks }))
    expect(outcome.proof_certificate.consistency_result).toMatchObject({ status: 'FAIL', constraint_violations: 4 })
  })

  it('fails consistency for orphans that nobody accepted', () => {
    const strict = structuredClone(plan)
    strict.tables[1]!.foreign_keys[0]!.enforcement = 'enforced'
    const outcome = assembleOutcome(fixtureOutcomeInput(strict))
    expect(outcome.proof_certificate.consistency_result).toMatchObject({ status: 'FAIL', constraint_violations: 3 })
    expect(outcome.rollback_verdict.rollback_decision).toBe('ROLLBACK')
  })

  it('rolls back for one lost record whatever the score', () => {
    const outcome = assemble(
      fixtureRecon(plan, [fixtureTable('airports', [5]), withLostRow(fixtureTable('flights', Array(1000).fill(4000)))]),
    )
    expect(outcome.rollback_verdict.bps_status).not.toBe('CRITICAL')
    expect(outcome.rollback_verdict.rollback_decision).toBe('ROLLBACK')
    expect(outcome.proof_certificate).toMatchObject({
      proof_status: 'INVALID',
      integrity_result: { status: 'FAIL' },
      completeness_result: { status: 'FAIL' },
    })
    expect(outcome.proof_certificate.completeness_result.completeness_ratio).toBeLessThan(1)
  })

  const inconclusive: [string, (good: ReconReport) => ReconReport][] = [
    ['a table never came back', (report) => ({ ...report, tables: report.tables.slice(1) })],
    [
      'a segment is missing',
      (report) => ({ ...report, tables: report.tables.map((table) => ({ ...table, segments: table.segments.slice(1) })) }),
    ],
    [
      'a segment came twice',
      (report) => ({
        ...report,
        tables: report.tables.map((table) => ({
          ...table,
          segments: table.segments.map((segment) => ({ ...segment, index: 0 })),
          segments_expected: table.segments.length + 1,
        })),
      }),
    ],
    ['a piece of work is open', (report) => ({ ...report, items_completed: 1 })],
    ['the report could not decide', (report) => ({ ...report, verdict: 'inconclusive', reasons: ['the table kept changing'] })],
    [
      'a table could not decide',
      (report) => ({ ...report, tables: report.tables.map((table) => ({ ...table, verdict: 'inconclusive' as const })) }),
    ],
    [
      'another hashing spec was used',
      (report) => ({ ...report, tables: report.tables.map((table) => ({ ...table, hashing_spec_sha256: 'f'.repeat(64) })) }),
    ],
    ['nothing was compared', (report) => ({ ...report, tables: [] })],
  ]
  it.each(inconclusive)('is not proven and not thrown away when %s', (_, change) => {
    const outcome = assemble(change(fixtureRecon(plan)))
    expect(outcome.proof_certificate.proof_status).toBe('INCONCLUSIVE')
    expect(outcome.proof_certificate.proof_formula_evaluation).toMatchObject({
      I_t_integrity: 0,
      PROOF_VALID: false,
      proof_confidence: null,
    })
    expect(outcome.rollback_verdict).toMatchObject({ rollback_decision: 'HOLD', bps_current: null })
    expect(arithmeticFaults(outcome)).toEqual([])
  })

  it.each([
    ['roots differ', { target_root: 'a'.repeat(64) }],
    ['records are counted as changed', { changed: '1' }],
    ['counts differ', { target_rows: '59' }],
  ])('does not believe a pass whose %s', (_, lie) => {
    const outcome = assemble(fixtureRecon(plan, [fixtureTable('airports', [5]), fixtureTable('flights', [20, 20, 20], lie)]))
    expect(outcome.proof_certificate.proof_formula_evaluation.PROOF_VALID).toBe(false)
    expect(outcome.proof_certificate.proof_status).toBe('INVALID')
  })

  it('does not take a check that was not run for a passed one', () => {
    const checks = fixtureChecks(plan)
    const outcome = assembleOutcome(fixtureOutcomeInput(plan, { checksReport: { ...checks, checks: checks.checks.slice(1) } }))
    expect(outcome.proof_certificate.completeness_result.status).toBe('INCONCLUSIVE')
    expect(outcome.proof_certificate.proof_status).toBe('INCONCLUSIVE')
  })

  it('needs the order where the plan names an order key, and says so where none does', () => {
    const unmeasured = assemble(
      fixtureRecon(plan, [fixtureTable('airports', [5]), fixtureTable('flights', [60, 0, 0], { ordering: null })]),
    )
    expect(unmeasured.proof_certificate.ordering_result.status).toBe('INCONCLUSIVE')
    const orderless = structuredClone(plan)
    orderless.tables[1]!.order_key = null
    const outcome = assembleOutcome(fixtureOutcomeInput(orderless))
    expect(outcome.proof_certificate.proof_formula_evaluation).toMatchObject({ O_t_ordering: null, PROOF_VALID: true })
    expect(outcome.not_measured['/proof_certificate/proof_formula_evaluation/O_t_ordering']).toContain('order key')
  })

  it('fails for a schema difference nobody planned, shows a minor one', () => {
    const difference = {
      kind: 'column_type' as const,
      where: 'public.flight.origin',
      source: 'text',
      target: 'character varying',
      planned: false,
    }
    const withSeverity = (severity: 'ERROR' | 'WARNING') =>
      assemble(
        fixtureRecon(plan, [
          fixtureTable('airports', [5]),
          fixtureTable('flights', [20, 20, 20], { schema_differences: [{ ...difference, severity }] }),
        ]),
      )
    expect(withSeverity('ERROR').proof_certificate.consistency_result).toMatchObject({
      status: 'FAIL',
      schema_match: false,
      type_mismatches: 1,
    })
    const minor = withSeverity('WARNING')
    expect(minor.proof_certificate.consistency_result).toMatchObject({ status: 'PASS', drift_detected: true })
    expect(minor.drift_analysis_report.drift_summary).toMatchObject({ total_drift_events: 1, overall_drift_status: 'WARNING' })
    expect(minor.findings[0]).toMatchObject({ where: 'public.flight.origin', severity: 'WARNING' })
  })

  it('keeps counts beyond 2^53 exact, as text', () => {
    const rows = '9007199254740993'
    const big = fixtureTable('flights', [1])
    const segments = big.segments.map((segment) => ({ ...segment, source_rows: rows, target_rows: rows }))
    const orderedPlan = structuredClone(plan)
    orderedPlan.recon.tables[1]!.segments = 1
    const outcome = assembleOutcome(
      fixtureOutcomeInput(orderedPlan, {
        reconReport: fixtureRecon(orderedPlan, [
          fixtureTable('airports', []),
          {
            ...big,
            segments,
            source_rows: rows,
            target_rows: rows,
            source_root: segmentRoot(segments, 'source'),
            target_root: segmentRoot(segments, 'target'),
          },
        ]),
      }),
    )
    expect(outcome.proof_certificate.completeness_result.source_record_count).toBe(rows)
    expect(outcome.proof_certificate.proof_status).toBe('VALID')
  })

  it('does not believe counts that no segment can have', () => {
    const rows = '9'.repeat(30)
    const table = fixtureTable('flights', [1])
    const segments = table.segments.map((segment) => ({ ...segment, source_rows: rows, target_rows: rows }))
    const outcome = assemble(
      fixtureRecon(plan, [fixtureTable('airports', [5]), { ...table, segments, source_rows: rows, target_rows: rows }]),
    )
    expect(outcome.proof_certificate.proof_status).toBe('INVALID')
  })

  it('refuses reports about another plan', () => {
    expect(() =>
      assembleOutcome(fixtureOutcomeInput(plan, { reconReport: { ...fixtureRecon(plan), plan_sha256: 'a'.repeat(64) } })),
    ).toThrow(expect.objectContaining({ code: 'EVIDENCE_INVALID' }))
  })
})

describe('confidence of a sample', () => {
  it('is 1 − (1 − p)^n, rounded down and capped', () => {
    expect(samplingConfidence(100, 0.01)).toBe(0.633967)
    expect(samplingConfidence(1, 0.5)).toBe(0.5)
    expect(samplingConfidence(10_000_000, 0.5)).toBe(0.999999)
    expect(samplingConfidence(0, 0.5)).toBe(0)
  })
})

describe('reading a document whose figures contradict each other', () => {
  const contradictory: unknown = JSON.parse(readFileSync(new URL('contradictory-outcome.json', import.meta.url), 'utf8'))
  const faults = arithmeticFaults(contradictory)

  it.each([
    ['a digest of 62 digits', /source_checksum: .*64 hexadecimal digits, this has 62/],
    ['a schema hash of 32 digits', /source_schema_hash: .*this has 32/],
    [
      'a proof that is VALID while the transfer is in progress',
      /phase_data_transfer\/status: the proof is VALID while this phase is IN_PROGRESS/,
    ],
    ['milliseconds given as seconds', /elapsed_time_seconds: 12847 are milliseconds given as seconds/],
    ['a headroom that is no difference', /duration_headroom_seconds: 86400 − 12847 is not 153/],
    ['a throughput that is no quotient', /throughput_records_per_second/],
    ['a total that is not its parts', /processing_ms: .* is 13180, not 12847/],
    ['another score than the composite', /bps_verified/],
  ])('names %s', (_, fault) => {
    expect(faults).toContainEqual(expect.stringMatching(fault))
  })

  it('does not object to the parts that are right', () => {
    expect(
      faults.filter((fault) => fault.includes('component_score') || fault.includes('bps_composite') || fault.includes('completeness')),
    ).toEqual([])
  })
})

describe('every derived figure', () => {
  const good = assembleOutcome(fixtureOutcomeInput(plan))
  const edits: [string, (document: typeof good) => void][] = [
    [
      'delta',
      (o) => {
        o.proof_certificate.completeness_result.record_count_delta = 1
      },
    ],
    [
      'completeness ratio',
      (o) => {
        o.proof_certificate.completeness_result.completeness_ratio = 0.99
      },
    ],
    [
      'target count',
      (o) => {
        o.proof_certificate.completeness_result.target_record_count = 66
      },
    ],
    [
      'passed records',
      (o) => {
        o.proof_certificate.integrity_result.sample_records_passed = 64
      },
    ],
    [
      'pass rate',
      (o) => {
        o.proof_certificate.integrity_result.sample_pass_rate = 0.5
      },
    ],
    [
      'checksum',
      (o) => {
        o.proof_certificate.integrity_result.source_checksum = 'b'.repeat(64)
      },
    ],
    [
      'factor',
      (o) => {
        o.proof_certificate.proof_formula_evaluation.K_t_consistency = 0
      },
    ],
    [
      'conjunction',
      (o) => {
        o.proof_certificate.proof_formula_evaluation.PROOF_VALID = false
      },
    ],
    [
      'status',
      (o) => {
        o.proof_certificate.ordering_result.status = 'FAIL'
      },
    ],
    [
      'drift total',
      (o) => {
        o.drift_analysis_report.drift_summary.total_drift_events = 2
      },
    ],
    [
      'rate variance',
      (o) => {
        o.drift_analysis_report.temporal_drift_analysis.rate_variance = 0.2
      },
    ],
    [
      'component score',
      (o) => {
        o.rollback_verdict.bps_component_breakdown.latency_breach_contribution.component_score = 0.01
      },
    ],
    [
      'weight',
      (o) => {
        o.rollback_verdict.bps_component_breakdown.latency_breach_contribution.weight = 0.1
      },
    ],
    [
      'composite',
      (o) => {
        o.rollback_verdict.bps_composite_calculation = 0.2
      },
    ],
    [
      'score status',
      (o) => {
        o.rollback_verdict.bps_status = 'WARNING'
      },
    ],
    [
      'decision',
      (o) => {
        o.rollback_verdict.rollback_decision = 'ROLLBACK'
      },
    ],
    [
      'duration headroom',
      (o) => {
        o.performance_slo_compliance.actual_performance.duration_headroom_seconds = 1
      },
    ],
    [
      'elapsed seconds',
      (o) => {
        o.performance_slo_compliance.actual_performance.elapsed_time_seconds = 15_000
      },
    ],
    [
      'throughput',
      (o) => {
        o.performance_slo_compliance.throughput_metrics.throughput_records_per_second = 5
      },
    ],
    [
      'compliance',
      (o) => {
        o.performance_slo_compliance.actual_performance.latency_p99_compliance = false
      },
    ],
    [
      'percentiles',
      (o) => {
        o.performance_slo_compliance.actual_performance.latency_p50_ms = 7001
      },
    ],
    [
      'percentage',
      (o) => {
        o.performance_slo_compliance.compliance_summary.slo_compliance_percentage = 75
      },
    ],
    [
      'health',
      (o) => {
        o.performance_slo_compliance.compliance_summary.overall_health_score = 0.5
      },
    ],
    [
      'phase duration',
      (o) => {
        o.execution_timeline.phase_validation.duration_ms += 1
      },
    ],
    [
      'progress',
      (o) => {
        o.execution_timeline.phase_data_transfer.transfer_progress_percentage = 99
      },
    ],
    [
      'records transferred',
      (o) => {
        o.execution_timeline.phase_data_transfer.records_transferred = 1
      },
    ],
    [
      'processing time',
      (o) => {
        o.processing_ms += 1
      },
    ],
    [
      'migration',
      (o) => {
        o.rollback_verdict.migration_id = 'MIG-2'
      },
    ],
  ]
  it.each(edits)('%s is recomputed', (_, edit) => {
    const forged = structuredClone(good)
    edit(forged)
    expect(arithmeticFaults(forged)).not.toEqual([])
  })
})
