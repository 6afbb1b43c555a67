import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { inclusionProof, leafHash, merkleRoot, verifyInclusion } from '../../layers/core/merkle.ts'

const golden = JSON.parse(readFileSync(new URL('golden/rfc6962.golden.json', import.meta.url), 'utf8')) as {
  leaves: string[]
  roots: string[]
}
const leaves = golden.leaves.map((hex) => Buffer.from(hex, 'hex'))
const list = fc.array(fc.uint8Array({ maxLength: 40 }), { minLength: 1, maxLength: 70 })

describe('Merkle tree', () => {
  test.each(golden.roots.map((root, size) => [size, root] as const))('the published tree of %i leaves has the root %s', (size, root) => {
    expect(Buffer.from(merkleRoot(leaves.slice(0, size))).toString('hex')).toBe(root)
  })

  test('every leaf of every list is proven, and only at its own place', () => {
    fc.assert(
      fc.property(list, fc.nat(), fc.nat(), (items, a, b) => {
        const index = a % items.length
        const other = b % items.length
        const proof = inclusionProof(items, index)
        const root = merkleRoot(items)
        expect(verifyInclusion(items[index]!, index, items.length, proof, root)).toBe(true)
        const same = Buffer.from(items[index]!).equals(items[other]!)
        if (!same) expect(verifyInclusion(items[other]!, index, items.length, proof, root)).toBe(false)
        if (index !== other && !same) expect(verifyInclusion(items[index]!, other, items.length, proof, root)).toBe(false)
      }),
      { numRuns: 300 },
    )
  })

  test('a proof that was changed, shortened, lengthened or used for another size proves nothing', () => {
    fc.assert(
      fc.property(list, fc.nat(), fc.nat(), (items, a, b) => {
        const index = a % items.length
        const proof = inclusionProof(items, index)
        const root = merkleRoot(items)
        const leaf = items[index]!
        const check = (changed: readonly Uint8Array[], size = items.length, top = root) => verifyInclusion(leaf, index, size, changed, top)
        expect(check([...proof, Buffer.alloc(32)])).toBe(false)
        if (proof.length > 0) {
          expect(check(proof.slice(1))).toBe(false)
          const at = b % proof.length
          const flipped = proof.map((hash, i) => (i === at ? Uint8Array.from(hash, (byte, j) => (j === b % 32 ? byte ^ 1 : byte)) : hash))
          expect(check(flipped)).toBe(false)
        }
        expect(
          check(
            proof,
            items.length,
            Uint8Array.from(root, (byte, j) => (j === b % 32 ? byte ^ 1 : byte)),
          ),
        ).toBe(false)
        expect(check(proof, index)).toBe(false)
      }),
      { numRuns: 300 },
    )
  })

  test('changing, swapping, adding or removing a leaf changes the root', () => {
    fc.assert(
      fc.property(list, fc.nat(), fc.uint8Array({ maxLength: 4 }), (items, a, other) => {
        const root = Buffer.from(merkleRoot(items))
        const at = a % items.length
        if (!Buffer.from(items[at]!).equals(other)) expect(root.equals(merkleRoot(items.with(at, other)))).toBe(false)
        expect(root.equals(merkleRoot([...items, other]))).toBe(false)
        expect(root.equals(merkleRoot(items.slice(1)))).toBe(false)
        const next = items[at + 1]
        if (next !== undefined && !Buffer.from(items[at]!).equals(next)) {
          expect(root.equals(merkleRoot(items.with(at, next).with(at + 1, items[at]!)))).toBe(false)
        }
      }),
      { numRuns: 300 },
    )
  })

  test('a leaf of a larger tree is not the only leaf of a tree of one', () => {
    const [a, b] = [Buffer.from('a'), Buffer.from('b')]
    expect(verifyInclusion(b, 1, 2, [leafHash(a)], merkleRoot([a, b]))).toBe(true)
    expect(verifyInclusion(b, 0, 1, [leafHash(a)], merkleRoot([a, b]))).toBe(false)
  })

  test('a pair of leaf hashes is not a leaf', () => {
    const [a, b] = [Buffer.from('a'), Buffer.from('b')]
    expect(Buffer.from(merkleRoot([a, b])).equals(merkleRoot([Buffer.concat([leafHash(a), leafHash(b)])]))).toBe(false)
  })

  test('there is no proof for a leaf that is not there', () => {
    expect(() => inclusionProof(leaves, 8)).toThrow(expect.objectContaining({ code: 'BAD_INPUT' }))
    expect(() => inclusionProof([], 0)).toThrow(/no leaf/)
    expect(verifyInclusion(leaves[0]!, 0.5, 8, [], merkleRoot(leaves))).toBe(false)
    expect(verifyInclusion(leaves[0]!, -1, 8, [], merkleRoot(leaves))).toBe(false)
  })
})
