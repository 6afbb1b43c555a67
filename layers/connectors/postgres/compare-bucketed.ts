import type { RowStream } from '../../core/encoding/row-stream.ts'
import { WaybillError } from '../../core/errors.ts'
import { bucketDigests } from './bucket-digests.ts'
import { bucketRows } from './bucket-rows.ts'
import type { CompareInput } from './compare-ordered.ts'
import { allOrNone, type Comparison } from './comparison.ts'
import { DifferenceIndex } from './difference-index.ts'
import { DIGEST } from './digest-sort.ts'
import { DigestStore } from './digest-store.ts'
import { rowHasher } from './row-digests.ts'

/** Compares two sides in whatever order their rows come: one scan a side, and a second one only if something differs. */
export async function compareBucketed(
  input: CompareInput & { readSource: () => Promise<RowStream>; readTarget: () => Promise<RowStream> },
): Promise<Comparison> {
  const { plan, stop } = input
  const buckets = plan.recon.segments
  const source = new DigestStore()
  const target = new DigestStore()
  try {
    await allOrNone([collect(input.readSource, source, input.onRows), collect(input.readTarget, target, () => {})], stop)
    const differences = new DifferenceIndex()
    const sourceRows = source.rows
    const targetRows = target.rows
    const digests = await bucketDigests(source, target, input.header, buckets, (difference) => differences.add(difference))
    if (differences.size > 0) {
      differences.index()
      await bucketRows({
        source: await input.readSource(),
        target: await input.readTarget(),
        differences,
        buckets,
        keyWidth: plan.keyWidth,
        hasher: rowHasher,
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
  }
}

async function collect(read: () => Promise<RowStream>, store: DigestStore, onRows: (rows: bigint) => void): Promise<void> {
  const stream = await read()
  const hasher = rowHasher()
  for await (const bytes of stream.chunks) {
    const digests = hasher.digests(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
    store.add(digests)
    onRows(BigInt(digests.byteLength / DIGEST))
  }
  if (store.rows !== stream.rows()) {
    throw new WaybillError('STREAM_TRUNCATED', `${stream.rows()} rows were sent but ${store.rows} arrived. Run the comparison again.`)
  }
}
