import type { RowStream } from '../../core/encoding/row-stream.ts'
import { WaybillError } from '../../core/errors.ts'
import type { BucketedSide } from './block-ranges.ts'
import { allOrNone } from './comparison.ts'
import { SOURCE, TARGET } from './difference-index.ts'
import { type DifferingDigests, PARTITIONS } from './differing-digests.ts'
import { DIGEST } from './digest-sort.ts'
import { rowHasher } from './row-digests.ts'
import { namePairs, type PairInput, RowPairs } from './row-pairs.ts'
import { Spill } from './spill.ts'

const SLOT_BYTES = 32 * 1024
/** Before each frame: 1 byte side, its digest. */
const RECORD_HEAD = 1 + DIGEST
/** Blocks read on either side of where a row should be; then more; then the whole table. */
const MARGINS = [1, 8, 64]

export type BucketRowsInput = PairInput & {
  source: BucketedSide
  target: BucketedSide
  differing: DifferingDigests
  stop: () => void
}

/**
 * Reads both sides a second time, around the places of differing rows where those are few, and names the rows behind differing digests.
 * @throws SEGMENT_INCOMPLETE when a row seen the first time is not there the second time
 */
export async function bucketRows(input: BucketRowsInput): Promise<void> {
  const rows = new Spill(PARTITIONS, SLOT_BYTES)
  try {
    if (!(await readPlaces(input, rows))) await readWhole(input, rows)
    const pairs = resolve(input, rows)
    try {
      namePairs(input, pairs)
    } finally {
      pairs.close()
    }
  } finally {
    rows.close()
  }
}

/** False when rows are left that were not found near their places: `rows` may then hold some that a whole reading gives again. */
async function readPlaces({ source, target, differing, stop }: BucketRowsInput, rows: Spill): Promise<boolean> {
  const few = differing.few()
  if (few === null) return false
  const { index, places } = few
  for (const margin of MARGINS) {
    const unseen = index.unseen()
    const wanted = (side: number) => Uint32Array.from(unseen.filter((i) => index.onSide(i, side)).map((i) => places[i]!))
    const streams: [RowStream, number][] = []
    for (const [side, reader] of [source, target].entries()) {
      const at = wanted(side)
      if (at.length === 0) continue
      const stream = await reader.again(at, margin)
      if (stream === null) return false
      streams.push([stream, side])
    }
    const fits = (side: number) => (digests: Buffer, at: number) => {
      const i = index.find(digests, at)
      return i !== -1 && index.onSide(i, side) && index.firstSight(i)
    }
    await allOrNone(
      streams.map(([stream, side]) => collect(stream, side, fits(side), rows)),
      stop,
    )
    if (index.unseen().length === 0) return true
  }
  return false
}

async function readWhole({ source, target, differing, stop }: BucketRowsInput, rows: Spill): Promise<void> {
  const filter = differing.filter()
  const sides = [source, target].map(async (reader, side) => {
    if (!differing.on[side as 0 | 1]) return
    const stream = await reader.again(null, 0)
    if (stream !== null) await collect(stream, side, filter, rows)
  })
  await allOrNone(sides, stop)
}

/** Puts aside the rows whose digest `wanted` may want. */
async function collect(stream: RowStream, side: number, wanted: (digests: Buffer, at: number) => boolean, rows: Spill): Promise<void> {
  const hasher = rowHasher()
  let record = Buffer.allocUnsafeSlow(SLOT_BYTES)
  for await (const bytes of stream.chunks) {
    const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const digests = hasher.digests(chunk)
    for (let at = 0, d = 0; at < chunk.byteLength; d += DIGEST) {
      const end = at + 1 + chunk.readInt32BE(at + 1)
      if (wanted(digests, d)) {
        const size = RECORD_HEAD + end - at
        if (record.byteLength < size) record = Buffer.allocUnsafeSlow(size)
        record[0] = side
        digests.copy(record, 1, d, d + DIGEST)
        chunk.copy(record, RECORD_HEAD, at, end)
        rows.append(digests[d]!, record, 0, size)
      }
      at = end
    }
  }
}

/** Exactly the rows that a side holds more often, each distinct row once. */
function resolve({ differing, keyWidth }: BucketRowsInput, rows: Spill): RowPairs {
  const pairs = new RowPairs(keyWidth)
  let unseen = 0
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const index = differing.partition(partition)
    for (const records of rows.read(partition)) {
      for (let at = 0; at < records.byteLength; ) {
        const frame = at + RECORD_HEAD
        const end = frame + 1 + records.readInt32BE(frame + 1)
        const side = records[at] === SOURCE ? SOURCE : TARGET
        const i = index.find(records, at + 1)
        if (i !== -1 && index.onSide(i, side) && index.firstSight(i)) pairs.add(index.counts(i), records.subarray(frame, end))
        at = end
      }
    }
    rows.free(partition)
    unseen += index.unseen().length
  }
  if (unseen > 0) {
    pairs.close()
    throw new WaybillError(
      'SEGMENT_INCOMPLETE',
      `${unseen} differing rows were not there any more when they were read again. Run the comparison again.`,
    )
  }
  return pairs
}
