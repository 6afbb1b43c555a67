import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { connectionsOf } from '../../functions/hash-segments/segment-work.ts'
import { prod } from '../../infra/config.ts'
import { CHUNKS_PER_TASK, estimateScale, PAIRS_PER_TASK, sizeOf, type TableSize, WORKER } from '../../layers/core/scale/estimate.ts'
import { against, LIMITS, type LimitName } from '../../layers/core/scale/limits.ts'
import { PRICES, priced } from '../../layers/core/scale/prices.ts'
import { copySeconds, MEASURED, reconcileSeconds } from '../../layers/core/scale/throughput.ts'

const text = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
const statesOf = (machine: string) => JSON.parse(text(`statemachines/${machine}.asl.json`)).States

describe('what the estimate rests on', () => {
  it('stands in the files it names, word for word', () => {
    for (const { file, line, seconds } of Object.values(MEASURED)) {
      expect(text(file).replaceAll('|', ' ').replace(/ +/g, ' ')).toContain(line.replaceAll('|', ' ').replace(/ +/g, ' '))
      expect(line).toContain(String(seconds))
    }
  })

  it('batches as the state machines do, and takes the workers of production', () => {
    expect(statesOf('migration').CopyChunks.ItemBatcher.MaxItemsPerBatch).toBe(CHUNKS_PER_TASK)
    expect(statesOf('reconcile').HashBatches.ItemBatcher.MaxItemsPerBatch).toBe(PAIRS_PER_TASK)
    expect(prod.workers).toMatchObject({ cpu: WORKER.vcpu * 1024, memoryMiB: WORKER.gigabytes * 1024 })
  })

  it('is never faster than what was measured, and grows with rows and bytes', () => {
    expect(reconcileSeconds({ rows: 5_000_000n, bytes: 0n, keyed: true })).toBeCloseTo(3.17)
    expect(reconcileSeconds({ rows: 2_000_000n, bytes: 490_000_000n, keyed: true })).toBeCloseTo(5.18)
    expect(reconcileSeconds({ rows: 1_000_000n, bytes: 84_000_000n, keyed: false })).toBeCloseTo(5.88)
    expect(copySeconds({ rows: 3_000_000n, bytes: 180_000_000n })).toBeCloseTo(2 * 3.62)
    fc.assert(
      fc.property(
        fc.bigInt(0n, 10n ** 12n),
        fc.bigInt(0n, 10n ** 15n),
        fc.bigInt(0n, 10n ** 9n),
        fc.boolean(),
        (rows, bytes, more, keyed) => {
          const seconds = reconcileSeconds({ rows, bytes, keyed })
          expect(reconcileSeconds({ rows: rows + more, bytes, keyed })).toBeGreaterThanOrEqual(seconds)
          expect(reconcileSeconds({ rows, bytes: bytes + more, keyed })).toBeGreaterThanOrEqual(seconds)
        },
      ),
    )
  })
})

describe('the estimate', () => {
  const table = (more: Partial<TableSize> = {}): TableSize => ({ name: 's.t', rows: 1_000_000n, bytes: 100_000_000n, keyed: true, ...more })
  const asked = (tables: TableSize[], parallelism = 4) => estimateScale({ tables, parallelism, rowsPerChunk: 500_000 })

  it('is nothing where one size is unknown, and says of which table', () => {
    const given = asked([table(), table({ name: 's.unknown', rows: null })])
    expect([given.rows, given.migration.usd, given.reconciliation.seconds, given.chunks]).toEqual([null, null, null, null])
    expect(given.reason).toContain('s.unknown')
    expect(given.limits.find(({ name }) => name === 'fargate_vcpus')).toMatchObject({ reached: null, within: null })
  })

  it('costs more for more rows, more bytes and more tables, and takes less time with more workers', () => {
    const usd = (tables: TableSize[]) => asked(tables).migration.usd!
    const small = usd([table({ rows: 10n ** 8n, bytes: 10n ** 10n })])
    expect(usd([table({ rows: 10n ** 9n, bytes: 10n ** 11n })])).toBeGreaterThan(small)
    expect(usd([table({ rows: 10n ** 8n, bytes: 10n ** 12n })])).toBeGreaterThan(small)
    const many = Array.from({ length: 2000 }, () => table())
    expect(usd(many)).toBeGreaterThan(usd(many.slice(0, 1000)))
    expect(asked(many, 64).migration.seconds!).toBeLessThan(asked(many, 4).migration.seconds!)
  })

  it('says that a new account has too few processors, and does not speak of functions beyond what was simulated', () => {
    const given = asked(
      Array.from({ length: 10_001 }, () => table({ rows: 1n, bytes: 100n })),
      64,
    )
    const limit = (name: LimitName) => given.limits.find((each) => each.name === name)!
    expect(limit('fargate_vcpus')).toMatchObject({ reached: 128, within: false, margin: 'ask for more' })
    expect(limit('function_seconds')).toMatchObject({ reached: null, within: null })
  })

  it('counts every chunk of every table, an empty one too', () => {
    expect(sizeOf({ tables: [table({ rows: 0n }), table({ rows: 1_000_001n })], parallelism: 1, rowsPerChunk: 500_000 })).toEqual({
      tables: 2,
      chunks: 4,
      copyTasks: 1,
      reconcileTasks: 1,
    })
  })

  it('adds up to the cent, line by line', () => {
    const names = Object.keys(PRICES) as (keyof typeof PRICES)[]
    fc.assert(
      fc.property(fc.array(fc.nat(10_000_000), { minLength: names.length, maxLength: names.length }), (amounts) => {
        const { lines, usd } = priced(
          Object.fromEntries(names.map((name, at) => [name, amounts[at]!])) as Record<keyof typeof PRICES, number>,
        )
        const exact = names.reduce((sum, name, at) => sum + (amounts[at]! / PRICES[name].per) * PRICES[name].usd, 0)
        expect(Math.abs(usd - exact)).toBeLessThan(0.01)
        expect(lines.map(({ what }) => what)).toEqual(names)
      }),
    )
  })

  it('a limit that is exceeded is never called within', () => {
    const names = Object.keys(LIMITS) as LimitName[]
    const over = against(Object.fromEntries(names.map((name) => [name, LIMITS[name].allowed + 1])) as Record<LimitName, number>)
    expect(over.every(({ within, margin }) => within === false && /ask for more|exceeded/.test(margin))).toBe(true)
    const at = against(Object.fromEntries(names.map((name) => [name, LIMITS[name].allowed])) as Record<LimitName, number>)
    expect(at.every(({ within }) => within === true)).toBe(true)
  })
})

it('tasks that run at once never open more connections together than the plan allows', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 10_000 }), fc.integer({ min: 1, max: 64 }), (tables, parallelism) => {
      const each = connectionsOf({ tables: { length: tables } as unknown[], execution: { parallelism } })
      const atOnce = Math.min(parallelism, Math.ceil(tables / PAIRS_PER_TASK))
      expect(each).toBeGreaterThanOrEqual(1)
      expect(each).toBeLessThanOrEqual(16)
      expect(each * atOnce).toBeLessThanOrEqual(parallelism)
    }),
  )
  expect(connectionsOf({ tables: [1], execution: { parallelism: 2 } })).toBe(2)
})
