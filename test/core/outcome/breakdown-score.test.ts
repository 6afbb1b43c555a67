import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  bpsStatus,
  breakdown,
  COMPONENT_NAMES,
  componentScore,
  composite,
  type Measurements,
  WEIGHTS,
} from '../../../layers/core/outcome/breakdown-score.ts'
import { unmeasured } from '../../../layers/core/outcome/figures.ts'

const clean: Measurements = {
  records: { source: 1000n, missing: 0n, extra: 0n, changed: 0n, segments: 10n, segments_differing: 0n },
  drift: { severities: [], columns: 20 },
  latency: { chunk_ms: [100, 200], target_ms: 1000, elapsed_seconds: 1, target_seconds: 60 },
  connections: { failures: 0n, chunks: 2n, all_completed: true },
  ordering: { violations: 0n, source: 1000n },
}

function score(measured: Measurements): number {
  const result = breakdown(measured, 50).composite
  if (typeof result !== 'number') throw new Error('not measured')
  return result
}

describe('breakdown point score', () => {
  it('gives 0.0847 for the published example', () => {
    const latency = componentScore(WEIGHTS.latency_breach_contribution, { severity: 0.15, occurrence_rate: 0.0375 })
    const connection = componentScore(WEIGHTS.connection_failure_contribution, { severity: 0.2, occurrence_rate: 0.0283 })
    expect([latency, connection]).toEqual([0.000844, 0.000849])
    expect(composite([latency, connection, 0, 0, 0, 0], 50)).toBe(0.0847)
  })

  it('has weights that sum to 1', () => {
    const cents = COMPONENT_NAMES.map((name) => Math.round(WEIGHTS[name] * 100)).reduce((a, b) => a + b)
    expect(cents).toBe(100)
  })

  it('is 0 for a migration in which nothing went wrong', () => {
    expect(score(clean)).toBe(0)
  })

  it('names its thresholds at the exact boundary', () => {
    expect(bpsStatus(0.1499, 0.15, 0.35)).toBe('NOMINAL')
    expect(bpsStatus(0.15, 0.15, 0.35)).toBe('WARNING')
    expect(bpsStatus(0.3499, 0.15, 0.35)).toBe('WARNING')
    expect(bpsStatus(0.35, 0.15, 0.35)).toBe('CRITICAL')
  })

  it('has no composite when a component was not measured', () => {
    const result = breakdown({ ...clean, records: unmeasured('the stream ended early') }, 50)
    expect(result.composite).not.toBe(0)
    expect(JSON.stringify(result.composite)).toContain('the stream ended early')
  })

  const amount = fc.bigInt({ min: 0n, max: 10n ** 12n })
  const measurements: fc.Arbitrary<Measurements> = fc.record({
    records: fc.record({ source: amount, missing: amount, extra: amount, changed: amount, segments: amount, segments_differing: amount }),
    drift: fc.record({
      severities: fc.array(fc.constantFrom('CRITICAL' as const, 'ERROR' as const, 'WARNING' as const, 'INFO' as const), { maxLength: 8 }),
      columns: fc.integer({ min: 1, max: 500 }),
    }),
    latency: fc.record({
      chunk_ms: fc.array(fc.integer({ min: 0, max: 10_000_000 }), { minLength: 1, maxLength: 20 }),
      target_ms: fc.integer({ min: 1, max: 1_000_000 }),
      elapsed_seconds: fc.integer({ min: 0, max: 1_000_000 }),
      target_seconds: fc.integer({ min: 1, max: 1_000_000 }),
    }),
    connections: fc.record({ failures: amount, chunks: amount, all_completed: fc.boolean() }),
    ordering: fc.record({ violations: amount, source: amount }),
  })

  /** Each makes one figure worse by `more`. */
  const worsenings: ((before: Measurements, more: bigint) => Measurements)[] = [
    (before, more) => ({ ...before, records: { ...records(before), missing: records(before).missing + more } }),
    (before, more) => ({ ...before, records: { ...records(before), extra: records(before).extra + more } }),
    (before, more) => ({ ...before, records: { ...records(before), changed: records(before).changed + more } }),
    (before, more) => ({ ...before, records: { ...records(before), segments_differing: records(before).segments_differing + more } }),
    (before, more) => ({ ...before, connections: { ...before.connections, failures: before.connections.failures + more } }),
    (before) => ({ ...before, connections: { ...before.connections, all_completed: false } }),
    (before, more) => ({ ...before, latency: { ...before.latency, elapsed_seconds: before.latency.elapsed_seconds + Number(more) } }),
    (before, more) => ({ ...before, latency: { ...before.latency, chunk_ms: before.latency.chunk_ms.map((ms) => ms + Number(more)) } }),
    (before) => ({ ...before, drift: { ...drift(before), severities: [...drift(before).severities, 'WARNING'] } }),
    (before, more) => ({ ...before, ordering: { ...ordering(before), violations: ordering(before).violations + more } }),
  ]
  it.each(worsenings.map((worsen, index) => [index, worsen] as const))('never falls when a figure gets worse (%i)', (_, worsen) => {
    fc.assert(
      fc.property(measurements, fc.bigInt({ min: 1n, max: 10n ** 9n }), (before, more) => {
        expect(score(worsen(before, more))).toBeGreaterThanOrEqual(score(before))
      }),
    )
  })

  it.each<[string, Partial<Measurements>]>([
    ['very late', { latency: { chunk_ms: [1e9], target_ms: 1, elapsed_seconds: 1e9, target_seconds: 1 } }],
    ['recovered from many failures', { connections: { failures: 10_000n, chunks: 1n, all_completed: true } }],
    ['different in every minor way', { drift: { severities: Array(50).fill('WARNING'), columns: 20 } }],
  ])('warns about, and does not throw away, a right copy that was %s', (_, worse) => {
    const warned = score({ ...clean, ...worse })
    expect([warned > 0.15, warned < 0.35]).toEqual([true, true])
  })

  it('sees one lost record in a thousand million', () => {
    const one = breakdown({ ...clean, records: { ...records(clean), source: 1_000_000_000n, missing: 1n } }, 50)
    expect(one.components.data_loss_contribution).toMatchObject({ severity: 1, occurrence_rate: 0.000001 })
  })
})

type Measured<T> = Exclude<T, ReturnType<typeof unmeasured>>
const records = (from: Measurements) => from.records as Measured<Measurements['records']>
const drift = (from: Measurements) => from.drift as Measured<Measurements['drift']>
const ordering = (from: Measurements) => from.ordering as Measured<Measurements['ordering']>
