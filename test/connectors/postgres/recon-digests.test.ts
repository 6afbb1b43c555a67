import { hash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Place } from '../../../layers/connectors/postgres/block-ranges.ts'
import { bucketDigests, bucketOf } from '../../../layers/connectors/postgres/bucket-digests.ts'
import type { DigestDifference } from '../../../layers/connectors/postgres/difference-index.ts'
import { DIGEST, SortSpace, sortDigests } from '../../../layers/connectors/postgres/digest-sort.ts'
import { DigestStore } from '../../../layers/connectors/postgres/digest-store.ts'
import { rowHasher } from '../../../layers/connectors/postgres/row-digests.ts'
import { INPUT, laneHasher, OUTPUT } from '../../../layers/connectors/postgres/sha256-lanes.ts'
import { Spill } from '../../../layers/connectors/postgres/spill.ts'
import { encodeFrame } from '../../../layers/core/encoding/row-frame.ts'

const sha = (bytes: Uint8Array) => hash('sha256', bytes, 'buffer')

describe('digests of rows', () => {
  it('come from SIMD lanes on this platform, and the lanes are right without anyone checking them', () => {
    const lanes = laneHasher()!
    expect(lanes).not.toBeNull()
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 400, size: 'max' }), { minLength: 1, maxLength: 9 }), (values) => {
        const frames = values.map((value) => encodeFrame([value]))
        const all = Buffer.concat(frames)
        all.copy(lanes.memory, INPUT)
        expect(lanes.run(INPUT + all.byteLength)).toBe(frames.length)
        const digests = Buffer.from(lanes.memory.subarray(OUTPUT, OUTPUT + frames.length * DIGEST))
        expect(digests.equals(Buffer.concat(frames.map(sha)))).toBe(true)
      }),
      { numRuns: 300 },
    )
  })

  it('are OpenSSL’s, whatever the lengths and however many rows come at once', () => {
    const hasher = rowHasher()
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 400, size: 'max' }), { maxLength: 40 }), (values) => {
        const frames = values.map((value) => encodeFrame([value, null]))
        const digests = hasher.digests(Buffer.concat(frames))
        expect(digests.byteLength).toBe(frames.length * DIGEST)
        frames.forEach((frame, i) => {
          expect(digests.subarray(i * DIGEST, (i + 1) * DIGEST).equals(sha(frame))).toBe(true)
        })
      }),
      { numRuns: 300 },
    )
  })

  it('are OpenSSL’s for every length around the block boundaries, and for rows too long for the lanes', () => {
    const hasher = rowHasher()
    const sizes = [...Array.from({ length: 300 }, (_, i) => i), 5_000, 262_120, 262_144, 700_000]
    const frames = sizes.map((size, i) => encodeFrame([Buffer.alloc(size, i)]))
    const digests = hasher.digests(Buffer.concat(frames))
    frames.forEach((frame, i) => {
      expect(digests.subarray(i * DIGEST, (i + 1) * DIGEST).toString('hex')).toBe(sha(frame).toString('hex'))
    })
  })
})

const nowhere = (): Place => ({ first: 0, rows: 0, shift: 31 })

describe('sorting digests', () => {
  /** Few different values, so that ties in the leading bits and exact duplicates are common. */
  const digest = fc.oneof(
    fc.nat(5).map((n) => sha(Buffer.from([n]))),
    fc.tuple(fc.nat(3), fc.nat(255)).map(([head, tail]) => Buffer.concat([Buffer.alloc(12, head), Buffer.alloc(20, tail)])),
  )

  it('gives byte order with every duplicate kept', () => {
    fc.assert(
      fc.property(fc.array(digest, { maxLength: 200, size: 'max' }), (digests) => {
        const expected = Buffer.concat(digests.toSorted(Buffer.compare))
        expect(sortDigests(Buffer.concat(digests), 0).equals(expected)).toBe(true)
      }),
    )
  })

  it('is right for digests that somebody looked for, alike in far more bits than chance allows and in the worst order', () => {
    const space = new SortSpace()
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 1500 }),
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 40 }),
        fc.constantFrom('descending', 'alternating', 'as they come'),
        (count, alike, kinds, order) => {
          const heads = [0x00, 0x7f, 0x80, 0xff].map((byte) => Buffer.alloc(alike, byte))
          const digests = Array.from({ length: count }, (_, i) =>
            Buffer.concat([heads[i % (kinds & 3 || 1)]!, sha(Buffer.from(String(i % (kinds * 50)))).subarray(alike)]),
          )
          const expected = Buffer.concat(digests.toSorted(Buffer.compare))
          if (order === 'descending') digests.sort((a, b) => Buffer.compare(b, a))
          if (order === 'alternating') digests.sort((a, b) => (a[31]! & 1) - (b[31]! & 1) || Buffer.compare(b, a))
          expect(sortDigests(Buffer.concat(digests), 0, DIGEST, space).equals(expected)).toBe(true)
        },
      ),
      { numRuns: 150 },
    )
  })

  it('looks past the bits that a partition shares', () => {
    const digests = Array.from({ length: 500 }, (_, i) =>
      Buffer.concat([Buffer.from([0xff, 0xc0 | (i % 7), i & 255]), sha(Buffer.from(String(i))).subarray(3)]),
    )
    const sorted = sortDigests(Buffer.concat(digests), 10)
    expect(sorted.equals(Buffer.concat(digests.toSorted(Buffer.compare)))).toBe(true)
  })
})

it('a spill gives back every byte of a partition in order, from memory and from its file', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(3), fc.uint8Array({ maxLength: 200, size: 'max' })), { maxLength: 200, size: 'max' }), (parts) => {
      const spill = new Spill(4, 256)
      const expected = [0, 1, 2, 3].map(() => [] as Buffer[])
      for (const [partition, bytes] of parts) {
        spill.append(partition, Buffer.from(bytes), 0, bytes.byteLength)
        expected[partition]!.push(Buffer.from(bytes))
      }
      for (const partition of [2, 0, 3, 1]) expect(spill.take(partition).equals(Buffer.concat(expected[partition]!))).toBe(true)
      spill.close()
    }),
    { numRuns: 50 },
  )
})

it('a store keeps every digest of a partition that overflows into the file, and forgets none when it is closed', () => {
  const store = new DigestStore()
  const digests = Array.from({ length: 5000 }, (_, i) => {
    const digest = Buffer.from(sha(Buffer.from(String(i % 4000))))
    digest.writeUInt16BE(0xabc0 | (i % 64), 0)
    return digest
  })
  for (let at = 0; at < digests.length; at += 700)
    store.add(Buffer.from(Uint8Array.from(Buffer.concat(digests.slice(at, at + 700)))), nowhere())
  expect(store.rows).toBe(5000n)
  const sorted = Buffer.concat(Array.from({ length: DigestStore.partitions }, (_, partition) => store.take(partition).sorted))
  expect(sorted.equals(Buffer.concat(digests.toSorted(Buffer.compare)))).toBe(true)
  store.close()
})

describe('digests of buckets', () => {
  const rows = fc.array(fc.nat(30), { maxLength: 60, size: 'max' })
  const store = (values: readonly number[]) => {
    const made = new DigestStore()
    for (const value of values) made.add(sha(Buffer.from([value])), nowhere())
    return made
  }

  it('are equal exactly where the multisets are, and name every row whose count differs', async () => {
    await fc.assert(
      fc.asyncProperty(rows, rows, fc.integer({ min: 1, max: 40 }), async (source, target, buckets) => {
        const found: DigestDifference[] = []
        const digests = await bucketDigests(store(source), store(target), Buffer.from('header'), buckets, (differences) => {
          found.push(...differences.map((one) => ({ ...one, digest: Buffer.from(one.digest) })))
        })
        const count = (values: readonly number[], value: number) => values.filter((one) => one === value).length
        const expected = [...new Set([...source, ...target])]
          .filter((value) => count(source, value) !== count(target, value))
          .map((value) => `${sha(Buffer.from([value])).toString('hex')} ${count(source, value)} ${count(target, value)}`)
          .sort()
        expect(found.map((one) => `${one.digest.toString('hex')} ${one.sourceCount} ${one.targetCount}`)).toEqual(expected)
        const differing = new Set(found.map((one) => bucketOf(one.digest.readUInt32BE(0), buckets)))
        expect(digests.filter((one) => one.sourceSha256 !== one.targetSha256).map((one) => one.index)).toEqual(
          [...differing].sort((a, b) => a - b),
        )
        expect(digests.reduce((sum, one) => sum + one.sourceRows, 0n)).toBe(BigInt(source.length))
      }),
      { numRuns: 60 },
    )
  })

  it('do not cancel: {A, A} is not {B, B}, and {A, B} is not {A, A, B, B}', async () => {
    const root = async (values: readonly number[]) =>
      (await bucketDigests(store(values), store([]), Buffer.alloc(0), 1, () => {}))[0]!.sourceSha256
    const digests = await Promise.all([[1, 1], [2, 2], [1, 2], [1, 1, 2, 2], []].map(root))
    expect(new Set(digests).size).toBe(5)
  })
})
