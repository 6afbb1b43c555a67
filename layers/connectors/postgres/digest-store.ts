import { DIGEST, sortDigests } from './digest-sort.ts'
import { Spill } from './spill.ts'

/** Partitions by the first 10 bits of the digest: a billion rows are then 31 MB at a time. */
const PARTITION_BITS = 10
/** 24 MiB of memory a side; more goes to a temporary file. */
const SLOT_BYTES = 24 * 1024

/** The row digests of one side, on their way to being sorted. */
export class DigestStore {
  static readonly partitions = 2 ** PARTITION_BITS
  readonly #spill = new Spill(DigestStore.partitions, SLOT_BYTES)
  rows = 0n

  add(digests: Buffer): void {
    for (let at = 0; at < digests.byteLength; at += DIGEST) {
      this.#spill.append(((digests[at]! << 8) | digests[at + 1]!) >>> (16 - PARTITION_BITS), digests, at, at + DIGEST)
    }
    this.rows += BigInt(digests.byteLength / DIGEST)
  }

  /** Digests of one partition in byte order; partitions in ascending order give all digests in order. Read once. */
  takeSorted(partition: number): Buffer {
    return sortDigests(this.#spill.take(partition), PARTITION_BITS)
  }

  close(): void {
    this.#spill.close()
  }
}
