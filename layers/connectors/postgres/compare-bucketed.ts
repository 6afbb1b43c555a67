import { WaybillError } from '../../core/errors.ts'
import type { BucketedSide } from './block-ranges.ts'
import { bucketDigests } from './bucket-digests.ts'
import { bucketRows } from './bucket-rows.ts'
import type { CompareInput } from './compare-ordered.ts'
import { allOrNone, type Comparison } from './comparison.ts'
import { DifferingDigests } from './differing-digests.ts'
import { DIGEST } from './digest-sort.ts'
import { DigestStore } from './digest-store.ts'
import { rowHasher } from './row-digests.ts'

/** Compares two sides in whatever order their rows come: one scan a side, and a second look only if something differs. */
export async function compareBucketed(input: CompareInput & { source: BucketedSide; target: BucketedSide }): Promise<Comparison> {
  const { plan, stop } = input
  const buckets = plan.recon.segments
  const source = new DigestStore()
  const target = new DigestStore()
  const differing = new DifferingDigests()
  try {
    await allOrNone([...collect(input.source, source, input.onRows), ...collect(input.target, target, () => {})], stop)
    const [sourceRows, targetRows] = [source.rows, target.rows]
    const digests = await bucketDigests(source, target, input.header, buckets, (...found) => differing.add(...found))
    if (differing.size > 0) {
      await bucketRows({
        source: input.source,
        target: input.target,
        differing,
        buckets,
        keyWidth: plan.keyWidth,
        make: input.make,
        emit: input.emit,
        stop,
      })
    }
    return {
      method: 'stream',
      segmentsExpected: buckets,
      segments: digests.map((bucket) => ({
        index: bucket.index,
        range: `row digests, part ${bucket.index + 1} of ${buckets}`,
        source_rows: String(bucket.sourceRows),
        target_rows: String(bucket.targetRows),
        source_sha256: bucket.sourceSha256,
        target_sha256: bucket.targetSha256,
      })),
      sourceRows,
      targetRows,
    }
  } finally {
    source.close()
    target.close()
    differing.close()
  }
}

function collect(side: BucketedSide, store: DigestStore, onRows: (rows: bigint) => void): Promise<void>[] {
  return side.lanes.map(async (lane) => {
    const hasher = rowHasher()
    for await (const { stream, place } of lane()) {
      let arrived = 0n
      for await (const bytes of stream.chunks) {
        const digests = hasher.digests(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
        store.add(digests, place)
        const rows = BigInt(digests.byteLength / DIGEST)
        arrived += rows
        onRows(rows)
      }
      if (arrived !== stream.rows()) {
        throw new WaybillError('STREAM_TRUNCATED', `${stream.rows()} rows were sent but ${arrived} arrived. Run the comparison again.`)
      }
    }
  })
}
