import { nextPlace, type Place } from './block-ranges.ts'
import { DIGEST, SortSpace, sortDigests, WORDS, wordsOf } from './digest-sort.ts'
import { Spill } from './spill.ts'

/** Partitions by the first 10 bits of the digest: a billion rows are then 35 MB at a time. */
const PARTITION_BITS = 10
/** Digests gathered for a partition before they go to a temporary file: 9 MiB of memory a side. */
const SLOT_DIGESTS = 256
/** Behind each digest, one word: where the row lies. */
const RECORD_WORDS = WORDS + 1
/** Bytes from one digest to the next, as the store keeps them. */
export const RECORD = RECORD_WORDS * 4
const SLOT_WORDS = SLOT_DIGESTS * RECORD_WORDS
const FIRST_SLOT_DIGESTS = 16

/** Digests of one partition: in byte order, and as they came, each with its place. */
export type PartitionDigests = { sorted: Buffer; records: Buffer }

/** The row digests of one side, on their way to being sorted. */
export class DigestStore {
  static readonly partitions = 2 ** PARTITION_BITS
  readonly #slots: Uint32Array[] = Array.from({ length: DigestStore.partitions }, () => EMPTY)
  readonly #used = new Int32Array(DigestStore.partitions)
  readonly #spill = new Spill(DigestStore.partitions, 0)
  readonly #space = new SortSpace()
  #records = Buffer.alloc(0)
  rows = 0n

  /** `digests` must begin at a multiple of four in its memory. */
  add(digests: Buffer, place: Place): void {
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
      slot[used + WORDS] = nextPlace(place)
      this.#used[partition] = used + RECORD_WORDS
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
    const larger = new Uint32Array(Math.min(SLOT_WORDS, Math.max(FIRST_SLOT_DIGESTS * RECORD_WORDS, slot.length * 4)))
    larger.set(slot)
    this.#slots[partition] = larger
    return larger
  }

  /** One partition, valid until the next; partitions in ascending order give all digests in order. Read once. */
  take(partition: number): PartitionDigests {
    const rest = bytesOf(this.#slots[partition]!.subarray(0, this.#used[partition]))
    const size = this.#spill.bytes(partition) + rest.byteLength
    if (this.#records.byteLength < size) this.#records = Buffer.allocUnsafeSlow(size + (size >>> 3))
    let at = 0
    for (const piece of this.#spill.read(partition)) at += piece.copy(this.#records, at)
    rest.copy(this.#records, at)
    const records = this.#records.subarray(0, size)
    this.#spill.free(partition)
    this.#slots[partition] = EMPTY
    this.#used[partition] = 0
    return { sorted: sortDigests(records, PARTITION_BITS, RECORD, this.#space), records }
  }

  close(): void {
    this.#spill.close()
  }
}

/** Where the row of a record lies. */
export function placeOf(records: Buffer, at: number): number {
  return wordsOf(records)[at / 4 + WORDS]!
}

const EMPTY = new Uint32Array(0)

function bytesOf(words: Uint32Array): Buffer {
  return Buffer.from(words.buffer, words.byteOffset, words.byteLength)
}
