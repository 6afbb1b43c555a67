/** Bytes of one row digest. */
export const DIGEST = 32
/** The same in 32-bit words: copying eight numbers is many times faster than a call of `copy` for every row. */
export const WORDS = 8

/** Memory to sort in, used again for the next partition: garbage of this size piles up faster than it is collected. */
export class SortSpace {
  #keys = new Float64Array(0)
  #sorted = Buffer.alloc(0)

  keys(count: number): Float64Array {
    if (this.#keys.length < count) this.#keys = new Float64Array(count + (count >>> 3))
    return this.#keys.subarray(0, count)
  }

  sorted(count: number): Buffer {
    if (this.#sorted.byteLength < count * DIGEST) this.#sorted = Buffer.allocUnsafeSlow((count + (count >>> 3)) * DIGEST)
    return this.#sorted.subarray(0, count * DIGEST)
  }
}

/** The bytes as 32-bit words. The buffer must begin at a multiple of four. */
export function wordsOf(bytes: Buffer): Uint32Array {
  return new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)
}

/**
 * Row digests of one partition in ascending byte order, duplicates kept. `skipBits`: leading bits that all of them share; `stride`: bytes from
 * one digest to the next in what is given, a multiple of four. The result lies in `space`. The native number sort does the work: leading bits and position in one double, which holds 52 bits exactly.
 */
export function sortDigests(digests: Buffer, skipBits: number, stride = DIGEST, space = new SortSpace()): Buffer {
  const count = digests.byteLength / stride
  if (count < 2) return digests.subarray(0, count * DIGEST)
  const indexBits = Math.ceil(Math.log2(count))
  const indexSize = 2 ** indexBits
  const keyBits = Math.min(32, 52 - indexBits)
  const drop = 32 - keyBits
  const keys = space.keys(count)
  for (let i = 0, at = 0; i < count; i++, at += stride) {
    const high = digests.readUInt32BE(at)
    const bits = skipBits === 0 ? high : ((high << skipBits) | (digests.readUInt32BE(at + 4) >>> (32 - skipBits))) >>> 0
    keys[i] = (drop === 0 ? bits : bits >>> drop) * indexSize + i
  }
  keys.sort()
  const sorted = space.sorted(count)
  const from = wordsOf(digests)
  const to = wordsOf(sorted)
  let previous = -1
  let ties = false
  for (let i = 0, at = 0; i < count; i++, at += WORDS) {
    const key = Math.floor(keys[i]! / indexSize)
    const start = ((keys[i]! - key * indexSize) * stride) / 4
    if (key === previous) ties = true
    previous = key
    for (let word = 0; word < WORDS; word++) to[at + word] = from[start + word]!
  }
  if (ties) sortTies(sorted, keys, indexSize)
  return sorted
}

/** Orders digests whose leading bits are alike: nearly always exact duplicates, where there is nothing to do. */
function sortTies(sorted: Buffer, keys: Float64Array, indexSize: number): void {
  for (let start = 0; start < keys.length; ) {
    const key = Math.floor(keys[start]! / indexSize)
    let end = start + 1
    let ordered = true
    while (end < keys.length && Math.floor(keys[end]! / indexSize) === key) {
      if (ordered && sorted.compare(sorted, end * DIGEST, (end + 1) * DIGEST, (end - 1) * DIGEST, end * DIGEST) > 0) ordered = false
      end++
    }
    if (!ordered) {
      const run = Array.from({ length: end - start }, (_, i) =>
        Buffer.from(sorted.subarray((start + i) * DIGEST, (start + i + 1) * DIGEST)),
      )
      run.sort(Buffer.compare)
      run.forEach((digest, i) => {
        digest.copy(sorted, (start + i) * DIGEST)
      })
    }
    start = end
  }
}
