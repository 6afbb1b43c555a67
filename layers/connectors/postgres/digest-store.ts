import { DIGEST, sortDigests, WORDS, wordsOf } from './digest-sort.ts'
import { Spill } from './spill.ts'

/** Partitions by the first 10 bits of the digest: a billion rows are then 31 MB at a time. */
const PARTITION_BITS = 10
/** Digests gathered for a partition before they go to a temporary file: 16 MiB of memory a side. */
const SLOT_DIGESTS = 512
const SLOT_WORDS = SLOT_DIGESTS * WORDS
const FIRST_SLOT_DIGESTS = 16

/** The row digests of one side, on their way to being sorted. */
export class DigestStore {
  static readonly partitions = 2 ** PARTITION_BITS
  readonly #slots: Uint32Array[] = Array.from({ length: DigestStore.partitions }, () => EMPTY)
  readonly #used = new Int32Array(DigestStore.partitions)
  readonly #spill = new Spill(DigestStore.partitions, 0)
  rows = 0n

  /** `digests` must begin at a multiple of four in its memory. */
  add(digests: Buffer): void {
    const words = wordsOf(digests)
    for (let at = 0, from = 0; at < digests.byteLength; at += DIGEST, from += WORDS) {
      const partition = ((digests[at]! << 8) | digests[at + 1]!) >>> (16 - PARTITION_BITS)
      let used = this.#used[partition]!
      let slot = this.#slots[partition]!
      if (used === slot.length) {
        slot = this.#room(partition, slot)
        used = this.#used[partition]!
      }
      for (let word = 0; word < WORDS; word++) slot[used + word] = words[from + word]!
      this.#used[partition] = used + WORDS
    }
    this.rows += BigInt(digests.byteLength / DIGEST)
  }

  /** A larger slot, or the same one emptied into the file. */
  #room(partition: number, slot: Uint32Array): Uint32Array {
    if (slot.length === SLOT_WORDS) {
      this.#spill.append(partition, bytesOf(slot), 0, slot.byteLength)
      this.#used[partition] = 0
      return slot
    }
    const larger = new Uint32Array(Math.min(SLOT_WORDS, Math.max(FIRST_SLOT_DIGESTS * WORDS, slot.length * 4)))
    larger.set(slot)
    this.#slots[partition] = larger
    return larger
  }

  /** Digests of one partition in byte order; partitions in ascending order give all digests in order. Read once. */
  takeSorted(partition: number): Buffer {
    const rest = bytesOf(this.#slots[partition]!.subarray(0, this.#used[partition]))
    const written = this.#spill.take(partition)
    let all = rest
    if (written.byteLength > 0) {
      all = Buffer.allocUnsafeSlow(written.byteLength + rest.byteLength)
      written.copy(all)
      rest.copy(all, written.byteLength)
    }
    this.#slots[partition] = EMPTY
    this.#used[partition] = 0
    return sortDigests(all, PARTITION_BITS)
  }

  close(): void {
    this.#spill.close()
  }
}

const EMPTY = new Uint32Array(0)

function bytesOf(words: Uint32Array): Buffer {
  return Buffer.from(words.buffer, words.byteOffset, words.byteLength)
}
