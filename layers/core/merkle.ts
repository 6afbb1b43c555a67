import { hash } from 'node:crypto'
import { sha256Bytes } from './digest.ts'
import { WaybillError } from './errors.ts'

/** Without different prefixes a pair of leaves could be passed off as one leaf (RFC 6962 §2.1). */
const LEAF = Uint8Array.of(0x00)
const NODE = Uint8Array.of(0x01)

/** SHA-256(0x00 ‖ leaf). */
export function leafHash(leaf: Uint8Array): Uint8Array {
  return sha256Bytes(LEAF, leaf)
}

function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return sha256Bytes(NODE, left, right)
}

/**
 * RFC 6962 tree head over leaf data, 32 bytes. An empty list gives SHA-256 of nothing. Leaves are taken one by one, so that a tree of any
 * size needs memory for its height only; each may be overwritten once the next is asked for.
 */
export function merkleRoot(leaves: Iterable<Uint8Array>): Uint8Array {
  // Complete subtrees from left to right, each smaller than the one before it: the binary digits of the count so far. Their hashes are
  // texts of 32 characters, one a byte: a buffer for each of 200,000 nodes would cost ten times their size until it is collected.
  const subtrees: { size: number; hash: string }[] = []
  const node = Buffer.alloc(65, NODE)
  const above = (left: string, right: string): string => {
    node.write(left, 1, 'latin1')
    node.write(right, 33, 'latin1')
    return hash('sha256', node, 'binary')
  }
  for (const leaf of leaves) {
    let tree = { size: 1, hash: hash('sha256', Buffer.concat([LEAF, leaf]), 'binary') }
    for (let left = subtrees.at(-1); left?.size === tree.size; left = subtrees.at(-1)) {
      subtrees.pop()
      tree = { size: left.size + tree.size, hash: above(left.hash, tree.hash) }
    }
    subtrees.push(tree)
  }
  const last = subtrees.pop()
  if (last === undefined) return sha256Bytes()
  return Buffer.from(
    subtrees.reduceRight((right, left) => above(left.hash, right), last.hash),
    'latin1',
  )
}

/** Pairs from the left; a last one without a partner moves up unchanged, which is exactly the split of RFC 6962. */
function parents(level: readonly Uint8Array[]): Uint8Array[] {
  const above: Uint8Array[] = []
  for (let at = 0; at < level.length; at += 2) {
    const right = level[at + 1]
    above.push(right === undefined ? level[at]! : nodeHash(level[at]!, right))
  }
  return above
}

/** Sibling hashes from the leaf up (RFC 6962 §2.1.1). @throws BAD_INPUT for an index outside the list */
export function inclusionProof(leaves: readonly Uint8Array[], index: number): Uint8Array[] {
  if (!Number.isInteger(index) || index < 0 || index >= leaves.length) {
    throw new WaybillError('BAD_INPUT', `there is no leaf ${index} in a tree of ${leaves.length}`)
  }
  const proof: Uint8Array[] = []
  let level = leaves.map(leafHash)
  for (let at = index; level.length > 1; at = at >> 1) {
    const sibling = level[at ^ 1]
    if (sibling !== undefined) proof.push(sibling)
    level = parents(level)
  }
  return proof
}

/** True when `leaf` is number `index` of the `size` leaves under `root` (RFC 9162 §2.1.3.2). Never throws. */
export function verifyInclusion(leaf: Uint8Array, index: number, size: number, proof: readonly Uint8Array[], root: Uint8Array): boolean {
  if (!Number.isInteger(index) || !Number.isInteger(size) || index < 0 || index >= size || size > 2 ** 31 - 1) return false
  let at = index
  let last = size - 1
  let hash = leafHash(leaf)
  for (const sibling of proof) {
    if (sibling.length !== 32 || last === 0) return false
    if (at % 2 === 1 || at === last) {
      hash = nodeHash(sibling, hash)
      while (at % 2 === 0 && at !== 0) {
        at >>= 1
        last >>= 1
      }
    } else {
      hash = nodeHash(hash, sibling)
    }
    at >>= 1
    last >>= 1
  }
  return last === 0 && Buffer.from(hash).equals(root)
}
