import { DifferenceIndex, type DigestDifference, SOURCE, TARGET } from './difference-index.ts'
import { DIGEST } from './digest-sort.ts'
import type { PartitionDigests } from './digest-store.ts'
import { placeOf, RECORD } from './digest-store.ts'
import { Spill } from './spill.ts'

/** Up to this many, each row is looked for at its place; above, the table is read from end to end. */
export const MOST_PLACES = 20_000
/** By the first byte of the digest: what is held in memory of a thousand million differences is then some hundred MiB. */
export const PARTITIONS = 256
const SLOT_BYTES = 16 * 1024
/** The digest, then two counts as doubles. */
const ENTRY = DIGEST + 16
/** 16 MiB: with a hundred million differences still two of three rows without a difference are passed over. */
const MOST_FILTER_BITS = 2 ** 27

/** Every row digest whose count differs: a few with their places, any number without. */
export class DifferingDigests {
  readonly #spill = new Spill(PARTITIONS, SLOT_BYTES)
  #few: (DigestDifference & { place: number })[] | null = []
  readonly #entry = Buffer.alloc(ENTRY)
  size = 0
  /** Whether a side holds some of them more often than the other: only then it has rows to name. */
  readonly on: [source: boolean, target: boolean] = [false, false]

  /** All differences of one partition of the digests, with what the two sides hold of it. */
  add(differences: readonly DigestDifference[], source: PartitionDigests, target: PartitionDigests): void {
    this.size += differences.length
    const entry = this.#entry
    for (const difference of differences) {
      difference.digest.copy(entry)
      entry.writeDoubleBE(difference.sourceCount, DIGEST)
      entry.writeDoubleBE(difference.targetCount, DIGEST + 8)
      this.#spill.append(entry[0]!, entry, 0, ENTRY)
      this.on[difference.sourceCount > difference.targetCount ? SOURCE : TARGET] = true
    }
    if (this.size > MOST_PLACES) this.#few = null
    if (this.#few === null) return
    const index = new DifferenceIndex(differences, differences.length)
    for (const [side, { records }] of [source, target].entries()) {
      for (let at = 0; at < records.byteLength; at += RECORD) {
        const i = index.find(records, at)
        if (i === -1 || !index.onSide(i, side) || !index.firstSight(i)) continue
        // What is kept must not keep the whole partition with it.
        this.#few.push({ ...differences[i]!, digest: Buffer.from(differences[i]!.digest), place: placeOf(records, at) })
      }
    }
  }

  /** All of them with their places; null when there are too many. */
  few(): { index: DifferenceIndex; places: Uint32Array } | null {
    if (this.#few === null) return null
    return { index: new DifferenceIndex(this.#few, this.#few.length), places: Uint32Array.from(this.#few, (one) => one.place) }
  }

  /** The ones whose digest begins with the byte `partition`. */
  partition(partition: number): DifferenceIndex {
    return new DifferenceIndex(this.#differences(partition), this.#spill.bytes(partition) / ENTRY)
  }

  *#differences(partition: number): Generator<DigestDifference> {
    for (const entry of this.#entries(partition)) {
      yield { digest: entry.subarray(0, DIGEST), sourceCount: entry.readDoubleBE(DIGEST), targetCount: entry.readDoubleBE(DIGEST + 8) }
    }
  }

  /** True for every differing digest, and for some others: a first look that costs the same memory however many there are. */
  filter(): (digests: Buffer, at: number) => boolean {
    const bits = Math.min(MOST_FILTER_BITS, 2 ** Math.ceil(Math.log2(Math.max(1024, this.size * 32))))
    const words = new Uint32Array(bits / 32)
    const bitOf = (digests: Buffer, at: number) => digests.readUInt32BE(at + DIGEST - 8) & (bits - 1)
    for (let partition = 0; partition < PARTITIONS; partition++) {
      for (const entry of this.#entries(partition)) {
        const bit = bitOf(entry, 0)
        words[bit >>> 5]! |= 1 << (bit & 31)
      }
    }
    return (digests, at) => {
      const bit = bitOf(digests, at)
      return (words[bit >>> 5]! & (1 << (bit & 31))) !== 0
    }
  }

  *#entries(partition: number): Generator<Buffer> {
    for (const piece of this.#spill.read(partition)) {
      for (let at = 0; at < piece.byteLength; at += ENTRY) yield piece.subarray(at, at + ENTRY)
    }
  }

  close(): void {
    this.#spill.close()
  }
}
