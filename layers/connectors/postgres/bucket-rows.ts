import { hash } from 'node:crypto'
import type { RowStream } from '../../core/encoding/row-stream.ts'
import { WaybillError } from '../../core/errors.ts'
import { bucketOf } from './bucket-digests.ts'
import { allOrNone, type Emit } from './comparison.ts'
import type { DifferenceIndex } from './difference-index.ts'
import { DIGEST } from './digest-sort.ts'
import type { Differ } from './row-difference.ts'
import type { RowHasher } from './row-digests.ts'
import { Spill } from './spill.ts'

const PARTITIONS = 256
const SLOT_BYTES = 64 * 1024
/** Per row before its frame: uint32 number of the difference, 1 byte side. */
const RECORD_HEAD = 5
const SOURCE = 0
const TARGET = 1

export type BucketRowsInput = {
  source: RowStream
  target: RowStream
  differences: DifferenceIndex
  buckets: number
  keyWidth: number
  hasher: () => RowHasher
  make: Differ
  emit: Emit
  stop: () => void
}

/**
 * Reads both sides a second time and names the rows behind differing digests. With a key, a row gone and a row come under one key are one
 * changed row. @throws SEGMENT_INCOMPLETE when a row seen the first time is not there the second time
 */
export async function bucketRows(input: BucketRowsInput): Promise<void> {
  const { differences } = input
  const spill = new Spill(PARTITIONS, SLOT_BYTES)
  try {
    await allOrNone([collect(input, input.source, SOURCE, spill), collect(input, input.target, TARGET, spill)], input.stop)
    const unseen = differences.unseen()
    if (unseen > 0) {
      throw new WaybillError(
        'SEGMENT_INCOMPLETE',
        `${unseen} differing rows were not there any more when they were read again. Run the comparison again.`,
      )
    }
    for (let partition = 0; partition < PARTITIONS; partition++) report(input, spill.take(partition))
  } finally {
    spill.close()
  }
}

/** Rows that this side holds more often, each distinct row once. */
async function collect(input: BucketRowsInput, stream: RowStream, side: number, spill: Spill): Promise<void> {
  const { differences, keyWidth } = input
  const hasher = input.hasher()
  for await (const bytes of stream.chunks) {
    const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const digests = hasher.digests(chunk)
    for (let at = 0, d = 0; at < chunk.byteLength; d += DIGEST) {
      const end = at + 1 + chunk.readInt32BE(at + 1)
      const found = differences.find(digests, d)
      if (found !== -1) {
        const { source, target } = differences.counts(found)
        if ((side === SOURCE ? source > target : target > source) && differences.firstSight(found)) {
          const record = Buffer.allocUnsafe(RECORD_HEAD + end - at)
          record.writeUInt32BE(found, 0)
          record[4] = side
          chunk.copy(record, RECORD_HEAD, at, end)
          const partition = keyWidth === 0 ? digests[d]! : hash('sha256', keyBytes(chunk, at, keyWidth), 'buffer')[0]!
          spill.append(partition, record, 0, record.byteLength)
        }
      }
      at = end
    }
  }
}

/** The framed key fields, which stand first in a row. */
function keyBytes(chunk: Buffer, frame: number, keyWidth: number): Buffer {
  let at = frame + 7
  for (let field = 0; field < keyWidth; field++) at += 4 + Math.max(0, chunk.readInt32BE(at))
  return chunk.subarray(frame + 7, at)
}

type Found = { difference: number; frame: Buffer }

function report(input: BucketRowsInput, records: Buffer): void {
  const groups = new Map<string, [Found[], Found[]]>()
  const lone: [Found[], Found[]] = [[], []]
  for (let at = 0; at < records.byteLength; ) {
    const difference = records.readUInt32BE(at)
    const side = records[at + 4] === SOURCE ? 0 : 1
    const from = at + RECORD_HEAD
    const end = from + 1 + records.readInt32BE(from + 1)
    const frame = records.subarray(from, end)
    at = end
    if (input.keyWidth === 0) {
      lone[side].push({ difference, frame })
      continue
    }
    const key = keyBytes(records, from, input.keyWidth).toString('latin1')
    let group = groups.get(key)
    if (group === undefined) {
      group = [[], []]
      groups.set(key, group)
    }
    group[side].push({ difference, frame })
  }
  for (const [missing, extra] of groups.values()) pair(input, missing, extra)
  emitLone(input, lone[0], 'missing')
  emitLone(input, lone[1], 'extra')
}

/** One row of either side under one key is a changed row; anything else cannot be told apart and stays missing and extra. */
function pair(input: BucketRowsInput, missing: Found[], extra: Found[]): void {
  const [before] = missing
  const [after] = extra
  if (before !== undefined && after !== undefined && missing.length === 1 && extra.length === 1) {
    const was = input.differences.counts(before.difference)
    const is = input.differences.counts(after.difference)
    if (was.source === 1 && was.target === 0 && is.source === 0 && is.target === 1) {
      input.emit(input.make.changed(before.frame, after.frame, bucketOf(was.high, input.buckets)), bucketOf(is.high, input.buckets))
      return
    }
  }
  emitLone(input, missing, 'missing')
  emitLone(input, extra, 'extra')
}

function emitLone(input: BucketRowsInput, rows: readonly Found[], kind: 'missing' | 'extra'): void {
  for (const { difference, frame } of rows) {
    const { source, target, high } = input.differences.counts(difference)
    input.emit(input.make.lone(kind, frame, bucketOf(high, input.buckets), BigInt(source), BigInt(target)))
  }
}
