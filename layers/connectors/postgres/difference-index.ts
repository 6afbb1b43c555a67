import { DIGEST } from './digest-sort.ts'

/** A row digest that one side holds more often than the other. Counts of rows stay far below 2^53. */
export type DigestDifference = { digest: Buffer; sourceCount: number; targetCount: number }

/** Few enough bits are set that nearly every row without a difference is done with one look. */
const FILTER_BITS_EACH = 32

/** Differing row digests with their counts, to be found again among many that do not differ. About 70 bytes each. */
export class DifferenceIndex {
  readonly #digests: Buffer
  readonly #sourceCounts: Float64Array
  readonly #targetCounts: Float64Array
  readonly #seen: Uint8Array
  readonly #slots: Int32Array
  readonly #filter: Uint32Array
  readonly #filterMask: number
  readonly size: number

  /** `size`: how many there are; each is used up before the next is asked for. */
  constructor(differences: Iterable<DigestDifference>, size: number) {
    this.size = size
    this.#digests = Buffer.allocUnsafeSlow(this.size * DIGEST)
    this.#sourceCounts = new Float64Array(this.size)
    this.#targetCounts = new Float64Array(this.size)
    this.#seen = new Uint8Array(this.size)
    const capacity = 2 ** Math.ceil(Math.log2(Math.max(16, this.size * 2)))
    this.#slots = new Int32Array(capacity).fill(-1)
    this.#filterMask = (capacity * FILTER_BITS_EACH) / 2 - 1
    this.#filter = new Uint32Array((this.#filterMask + 1) / 32)
    let i = 0
    for (const difference of differences) {
      const at = i * DIGEST
      difference.digest.copy(this.#digests, at)
      this.#sourceCounts[i] = difference.sourceCount
      this.#targetCounts[i] = difference.targetCount
      const bit = this.#digests.readUInt32BE(at + DIGEST - 8) & this.#filterMask
      this.#filter[bit >>> 5]! |= 1 << (bit & 31)
      let slot = this.#slotOf(this.#digests, at)
      while (this.#slots[slot] !== -1) slot = (slot + 1) & (capacity - 1)
      this.#slots[slot] = i++
    }
  }

  /** Number of the difference, or −1. */
  find(digests: Buffer, at: number): number {
    const bit = digests.readUInt32BE(at + DIGEST - 8) & this.#filterMask
    if ((this.#filter[bit >>> 5]! & (1 << (bit & 31))) === 0) return -1
    const mask = this.#slots.length - 1
    for (let slot = this.#slotOf(digests, at); ; slot = (slot + 1) & mask) {
      const i = this.#slots[slot]!
      if (i === -1) return -1
      if (this.#digests.compare(digests, at, at + DIGEST, i * DIGEST, (i + 1) * DIGEST) === 0) return i
    }
  }

  /** True the first time a difference is marked. */
  firstSight(i: number): boolean {
    if (this.#seen[i] === 1) return false
    this.#seen[i] = 1
    return true
  }

  /** Numbers of the differences never marked. */
  unseen(): number[] {
    return Array.from(this.#seen.keys()).filter((i) => this.#seen[i] === 0)
  }

  counts(i: number): { source: number; target: number; high: number } {
    return { source: this.#sourceCounts[i]!, target: this.#targetCounts[i]!, high: this.#digests.readUInt32BE(i * DIGEST) }
  }

  /** True when `side` holds more rows of this digest than the other: the side whose row is named. */
  onSide(i: number, side: number): boolean {
    const more = this.#sourceCounts[i]! - this.#targetCounts[i]!
    return side === SOURCE ? more > 0 : more < 0
  }

  #slotOf(digests: Buffer, at: number): number {
    // Any four bytes of a SHA-256 are as good as any other; the last four are not what the rows are partitioned by.
    return digests.readUInt32BE(at + DIGEST - 4) & (this.#slots.length - 1)
  }
}

export const SOURCE = 0
export const TARGET = 1
