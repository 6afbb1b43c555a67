import { expect, test } from 'vitest'
import { DifferenceTally } from '../../../layers/connectors/postgres/difference-tally.ts'
import type { Mismatch } from '../../../layers/core/schemas/recon.ts'

const changed = (value: string): Mismatch => ({
  kind: 'changed',
  segment: 0,
  key: [{ column: 'id', value: '1' }],
  columns: [{ column: 'body', source: value, target: null }],
  source_count: '1',
  target_count: '1',
})

test.each([
  ['narrow', '', 1000],
  ['wide', 'x'.repeat(3 * 1024 * 1024), 3],
  ['huge', 'x'.repeat(20 * 1024 * 1024), 1],
])('of many %s differences the result keeps what fits into memory; every one is counted and handed on', (_, value, kept) => {
  let handed = 0
  const tally = new DifferenceTally(() => {
    handed++
  })
  const mismatch = changed(value)
  for (let i = 0; i < 1500; i++) tally.add(mismatch)
  expect(tally.first).toHaveLength(kept)
  expect([handed, tally.changed]).toEqual([1500, 1500n])
})
