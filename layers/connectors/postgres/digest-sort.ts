/** Bytes of one row digest. */
export const DIGEST = 32
/** The same in 32-bit words: copying eight numbers is many times faster than a call of `copy` for every row. */
export const WORDS = 8

/** Leading bits that put a digest into its place. Beyond 2^18 digests of one partition each place has some of them. */
const MOST_PLACE_BITS = 18
/** Steps a digest may take from its place, on average: one or two where digests are spread as SHA-256 spreads them. */
const STEPS_EACH = 16

/** Memory to sort in, used again for the next partition: garbage of this size piles up faster than it is collected. */
export class SortSpace {
  #keys = new Uint32Array(0)
  #order = new Uint32Array(0)
  #places = new Uint32Array(0)
  #sorted = Buffer.alloc(0)

  keys(count: number): Uint32Array {
    if (this.#keys.length < count) this.#keys = new Uint32Array(withRoom(count))
    return this.#keys
  }

  order(count: number): Uint32Array {
    if (this.#order.length < count) this.#order = new Uint32Array(withRoom(count))
    return this.#order
  }

  /** All 0. */
  places(bits: number): Uint32Array {
    if (this.#places.length < 2 ** bits) this.#places = new Uint32Array(2 ** bits)
    return this.#places.fill(0, 0, 2 ** bits)
  }

  sorted(count: number): Buffer {
    if (this.#sorted.byteLength < count * DIGEST) this.#sorted = Buffer.allocUnsafeSlow(withRoom(count) * DIGEST)
    return this.#sorted.subarray(0, count * DIGEST)
  }
}

function withRoom(count: number): number {
  return count + (count >>> 3)
}

/** The bytes as 32-bit words. The buffer must begin at a multiple of four. */
export function wordsOf(bytes: Buffer): Uint32Array {
  return new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)
}

/**
 * Row digests of one partition in ascending byte order, duplicates kept. `skipBits` < 32: leading bits that all of them share; `stride`: bytes
 * from one digest to the next in what is given, a multiple of four. The result lies in `space`. Digests are spread evenly, so their leading
 * bits say nearly where each belongs; the rest is a few steps each, and an ordinary sort where digests that were looked for take too many.
 */
export function sortDigests(digests: Buffer, skipBits: number, stride = DIGEST, space = new SortSpace()): Buffer {
  const count = digests.byteLength / stride
  if (count < 2) return digests.subarray(0, count * DIGEST)
  const from = wordsOf(digests)
  const step = stride / 4
  const { keys, order } = placed(from, count, step, skipBits, space)
  if (!settled(from, step, keys, order, count)) {
    order.subarray(0, count).sort((a, b) => keys[a]! - keys[b]! || compareWords(from, a * step, b * step))
  }
  const sorted = space.sorted(count)
  const to = wordsOf(sorted)
  for (let i = 0, at = 0; i < count; i++, at += WORDS) {
    const start = order[i]! * step
    for (let word = 0; word < WORDS; word++) to[at + word] = from[start + word]!
  }
  return sorted
}

/** The 32 bits of each digest behind those that all share, and the digests' numbers in order of the first of these bits. */
function placed(from: Uint32Array, count: number, step: number, skipBits: number, space: SortSpace) {
  const [keys, order] = [space.keys(count), space.order(count)]
  const bits = Math.min(MOST_PLACE_BITS, Math.ceil(Math.log2(count)))
  const places = space.places(bits)
  const shift = 32 - bits
  for (let i = 0, at = 0; i < count; i++, at += step) {
    const high = bigEndian(from[at]!)
    const key = skipBits === 0 ? high : ((high << skipBits) | (bigEndian(from[at + 1]!) >>> (32 - skipBits))) >>> 0
    keys[i] = key
    places[key >>> shift]!++
  }
  for (let place = 0, end = 0; place < 2 ** bits; place++) {
    end += places[place]!
    places[place] = end
  }
  for (let i = count - 1; i >= 0; i--) order[--places[keys[i]! >>> shift]!] = i
  return { keys, order }
}

/** Puts what is nearly in order into order, each one step by step; false when that takes too many steps. */
function settled(from: Uint32Array, step: number, keys: Uint32Array, order: Uint32Array, count: number): boolean {
  let left = count * STEPS_EACH
  for (let i = 1; i < count; i++) {
    const own = order[i]!
    const key = keys[own]!
    let at = i
    for (; at > 0; at--) {
      const before = order[at - 1]!
      const other = keys[before]!
      if (other < key || (other === key && compareWords(from, before * step, own * step) <= 0)) break
      order[at] = before
    }
    order[at] = own
    left -= i - at
    if (left < 0) return false
  }
  return true
}

/** By bytes: negative, 0 or positive. */
function compareWords(words: Uint32Array, a: number, b: number): number {
  for (let word = 0; word < WORDS; word++) {
    const [left, right] = [words[a + word]!, words[b + word]!]
    if (left !== right) return bigEndian(left) - bigEndian(right)
  }
  return 0
}

/** Four bytes as they were read on a little-endian processor, the first one highest. */
function bigEndian(word: number): number {
  return ((word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)) >>> 0
}
