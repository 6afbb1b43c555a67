import type { DigestDifference } from './bucket-digests.ts'
import { DIGEST } from './digest-sort.ts'

/** Differing row digests with their counts, to be found again while the rows are read a second time. 44 bytes each. */
export class DifferenceIndex {
  #digests = Buffer.allocUnsafeSlow(DIGEST * 256)
  #sourceCounts = new Float64Array(256)
  #targetCounts = new Float64Array(256)
  #seen = new Uint8Array(256)
  #slots = new Int32Array(0)
  size = 0

  add(difference: DigestDifference): void {
    if (this.size === this.#seen.length) this.#grow()
    difference.digest.copy(this.#digests, this.size * DIGEST)
    // Counts of rows stay far below 2^53.
    this.#sourceCounts[this.size] = Number(difference.sourceCount)
    this.#targetCounts[this.size] = Number(difference.targetCount)
    this.size++
  }

  /** Call after the last `add`. */
  index(): void {
    const capacity = 2 ** Math.ceil(Math.log2(Math.max(16, this.size * 2)))
    this.#slots = new Int32Array(capacity).fill(-1)
    for (let i = 0; i < this.size; i++) {
      let slot = this.#slotOf(this.#digests, i * DIGEST)
      while (this.#slots[slot] !== -1) slot = (slot + 1) & (capacity - 1)
      this.#slots[slot] = i
    }
  }

  /** Number of the difference, or −1. */
  find(digests: Buffer, at: number): number {
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

  unseen(): number {
    let unseen = 0
    for (let i = 0; i < this.size; i++) if (this.#seen[i] === 0) unseen++
    return unseen
  }

  counts(i: number): { source: number; target: number; high: number } {
    return { source: this.#sourceCounts[i]!, target: this.#targetCounts[i]!, high: this.#digests.readUInt32BE(i * DIGEST) }
  }

  #slotOf(digests: Buffer, at: number): number {
    // Any four bytes of a SHA-256 are as good as any other; the last four are not what the rows are partitioned by.
    return digests.readUInt32BE(at + DIGEST - 4) & (this.#slots.length - 1)
  }

  #grow(): void {
    const capacity = this.#seen.length * 2
    const digests = Buffer.allocUnsafeSlow(capacity * DIGEST)
    this.#digests.copy(digests)
    this.#digests = digests
    const widen = (counts: Float64Array) => {
      const wide = new Float64Array(capacity)
      wide.set(counts)
      return wide
    }
    this.#sourceCounts = widen(this.#sourceCounts)
    this.#targetCounts = widen(this.#targetCounts)
    this.#seen = new Uint8Array(capacity)
  }
}
