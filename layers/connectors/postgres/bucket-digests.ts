import { createHash, type Hash } from 'node:crypto'
import type { DigestDifference } from './difference-index.ts'
import { DIGEST } from './digest-sort.ts'
import { DigestStore, type PartitionDigests } from './digest-store.ts'

export type BucketDigest = { index: number; sourceRows: bigint; targetRows: bigint; sourceSha256: string; targetSha256: string }

/** The bucket of a digest among `buckets`: proportional to its first 32 bits, so sorted digests come bucket by bucket. */
export function bucketOf(high: number, buckets: number): number {
  return Math.floor((high * buckets) / 2 ** 32)
}

/**
 * Digests every bucket of both sides: SHA-256 over the header and the sorted row digests, each as often as its row occurs.
 * Calls `onDifferences` for every partition that holds row digests whose counts differ, with all of those in byte order. Both stores are used up.
 */
export async function bucketDigests(
  source: DigestStore,
  target: DigestStore,
  header: Uint8Array,
  buckets: number,
  onDifferences: (differences: readonly DigestDifference[], source: PartitionDigests, target: PartitionDigests) => void,
): Promise<BucketDigest[]> {
  const left = new BucketHasher(header, buckets)
  // As long as both sides hold the same bytes they have the same digest, and one computation is the computation of both.
  let right: BucketHasher | null = null
  for (let partition = 0; partition < DigestStore.partitions; partition++) {
    const a = source.take(partition)
    const b = target.take(partition)
    if (!a.sorted.equals(b.sorted)) {
      right ??= left.fork()
      onDifferences(differences(a.sorted, b.sorted), a, b)
    }
    left.add(a.sorted)
    right?.add(b.sorted)
    // Sorting a large table takes seconds; cancelling must get through.
    if (partition % 16 === 15) await new Promise((resolve) => setImmediate(resolve))
  }
  const sources = left.finish()
  const targets = right?.finish() ?? sources
  return sources.map((bucket, index) => ({
    index,
    sourceRows: bucket.rows,
    targetRows: targets[index]!.rows,
    sourceSha256: bucket.sha256,
    targetSha256: targets[index]!.sha256,
  }))
}

/** Takes sorted digests and closes each bucket when the first digest of a later one comes. */
class BucketHasher {
  readonly #header: Uint8Array
  readonly #buckets: number
  #done: { rows: bigint; sha256: string }[] = []
  #hash: Hash
  #rows = 0

  constructor(header: Uint8Array, buckets: number) {
    this.#header = header
    this.#buckets = buckets
    this.#hash = createHash('sha256').update(header)
  }

  fork(): BucketHasher {
    const copy = new BucketHasher(this.#header, this.#buckets)
    copy.#done = [...this.#done]
    copy.#hash = this.#hash.copy()
    copy.#rows = this.#rows
    return copy
  }

  add(sorted: Buffer): void {
    let from = 0
    for (let at = 0; at < sorted.byteLength; at += DIGEST) {
      const bucket = bucketOf(sorted.readUInt32BE(at), this.#buckets)
      if (bucket === this.#done.length) continue
      this.#take(sorted.subarray(from, at))
      from = at
      while (this.#done.length < bucket) this.#close()
    }
    this.#take(sorted.subarray(from))
  }

  finish(): { rows: bigint; sha256: string }[] {
    while (this.#done.length < this.#buckets) this.#close()
    return this.#done
  }

  #take(digests: Buffer): void {
    this.#hash.update(digests)
    this.#rows += digests.byteLength / DIGEST
  }

  #close(): void {
    this.#done.push({ rows: BigInt(this.#rows), sha256: this.#hash.digest('hex') })
    this.#hash = createHash('sha256').update(this.#header)
    this.#rows = 0
  }
}

function differences(a: Buffer, b: Buffer): DigestDifference[] {
  const found: DigestDifference[] = []
  let i = 0
  let j = 0
  while (i < a.byteLength || j < b.byteLength) {
    const order = i === a.byteLength ? 1 : j === b.byteLength ? -1 : a.compare(b, j, j + DIGEST, i, i + DIGEST)
    const [from, at] = order <= 0 ? [a, i] : [b, j]
    const digest = from.subarray(at, at + DIGEST)
    const sourceEnd = order <= 0 ? runEnd(a, i, digest) : i
    const targetEnd = order >= 0 ? runEnd(b, j, digest) : j
    const sourceCount = (sourceEnd - i) / DIGEST
    const targetCount = (targetEnd - j) / DIGEST
    if (sourceCount !== targetCount) found.push({ digest, sourceCount, targetCount })
    i = sourceEnd
    j = targetEnd
  }
  return found
}

function runEnd(sorted: Buffer, from: number, digest: Buffer): number {
  let at = from + DIGEST
  while (at < sorted.byteLength && sorted.compare(digest, 0, DIGEST, at, at + DIGEST) === 0) at += DIGEST
  return at
}
