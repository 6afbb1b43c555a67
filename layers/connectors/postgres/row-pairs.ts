import { hash } from 'node:crypto'
import { bucketOf } from './bucket-digests.ts'
import type { Emit } from './comparison.ts'
import type { Differ } from './row-difference.ts'
import { Spill } from './spill.ts'

const PARTITIONS = 64
const SLOT_BYTES = 64 * 1024
/** Rows under the keys of one partition that are looked at together; more are parted again by another byte of their key's digest. */
const AT_ONCE = 16 * 1024 * 1024
/** Rows that are still together after as many partings have one key. */
const MOST_PARTINGS = 8
/** Before each frame: two counts as doubles, the first 32 bits of the row's digest. */
const RECORD_HEAD = 20

export type PairInput = { buckets: number; keyWidth: number; make: Differ; emit: Emit }
/** How often a row is on either side, and the first 32 bits of its digest. */
export type RowCounts = { source: number; target: number; high: number }
type Found = RowCounts & { frame: Buffer }

/** Differing rows, parted by the digest of their key so that those under one key come together. */
export class RowPairs {
  readonly #keyWidth: number
  readonly #parting: number
  readonly #spill = new Spill(PARTITIONS, SLOT_BYTES)
  #record = Buffer.allocUnsafeSlow(4096)

  constructor(keyWidth: number, parting = 0) {
    this.#keyWidth = keyWidth
    this.#parting = parting
  }

  add(counts: RowCounts, frame: Buffer): void {
    const size = RECORD_HEAD + frame.byteLength
    if (this.#record.byteLength < size) this.#record = Buffer.allocUnsafeSlow(size)
    const record = this.#record
    record.writeDoubleBE(counts.source, 0)
    record.writeDoubleBE(counts.target, 8)
    record.writeUInt32BE(counts.high, 16)
    frame.copy(record, RECORD_HEAD)
    const byte = this.#keyWidth === 0 ? counts.high >>> 24 : hash('sha256', keyBytes(frame, this.#keyWidth), 'buffer')[this.#parting]!
    this.#spill.append(byte % PARTITIONS, record, 0, size)
  }

  /** Calls `one` with everything under some keys at a time; rows without a key one by one. Frames are valid until it returns. */
  each(one: (rows: readonly Found[]) => void): void {
    for (let partition = 0; partition < PARTITIONS; partition++) {
      if (this.#keyWidth === 0) {
        for (const piece of this.#spill.read(partition)) for (const row of found(piece)) one([row])
      } else if (this.#spill.bytes(partition) > AT_ONCE && this.#parting < MOST_PARTINGS) {
        this.#part(partition, one)
      } else {
        one([...found(this.#spill.take(partition))])
      }
      this.#spill.free(partition)
    }
  }

  #part(partition: number, one: (rows: readonly Found[]) => void): void {
    const finer = new RowPairs(this.#keyWidth, this.#parting + 1)
    try {
      for (const piece of this.#spill.read(partition)) for (const { frame, ...counts } of found(piece)) finer.add(counts, frame)
      finer.each(one)
    } finally {
      finer.close()
    }
  }

  close(): void {
    this.#spill.close()
  }
}

function* found(records: Buffer): Generator<Found> {
  for (let at = 0; at < records.byteLength; ) {
    const from = at + RECORD_HEAD
    const end = from + 1 + records.readInt32BE(from + 1)
    yield {
      source: records.readDoubleBE(at),
      target: records.readDoubleBE(at + 8),
      high: records.readUInt32BE(at + 16),
      frame: records.subarray(from, end),
    }
    at = end
  }
}

/** The framed key fields, which stand first in a row. */
function keyBytes(frame: Buffer, keyWidth: number): Buffer {
  let at = 7
  for (let field = 0; field < keyWidth; field++) at += 4 + Math.max(0, frame.readInt32BE(at))
  return frame.subarray(7, at)
}

/** Emits every row: one gone and one come under one key are one changed row, everything else stays missing and extra. */
export function namePairs(input: PairInput, pairs: RowPairs): void {
  pairs.each((rows) => {
    if (input.keyWidth === 0) {
      emitLone(input, rows)
      return
    }
    const groups = new Map<string, Found[]>()
    for (const row of rows) {
      const key = keyBytes(row.frame, input.keyWidth).toString('latin1')
      const group = groups.get(key)
      if (group === undefined) groups.set(key, [row])
      else group.push(row)
    }
    for (const group of groups.values()) pair(input, group)
  })
}

/** One row of either side under one key is a changed row; anything else cannot be told apart. */
function pair(input: PairInput, group: readonly Found[]): void {
  const before = group.find((row) => row.source === 1 && row.target === 0)
  const after = group.find((row) => row.source === 0 && row.target === 1)
  if (group.length !== 2 || before === undefined || after === undefined) emitLone(input, group)
  else input.emit(input.make.changed(before.frame, after.frame, bucketOf(before.high, input.buckets)), bucketOf(after.high, input.buckets))
}

function emitLone(input: PairInput, rows: readonly Found[]): void {
  for (const { source, target, high, frame } of rows) {
    const kind = source > target ? 'missing' : 'extra'
    input.emit(input.make.lone(kind, frame, bucketOf(high, input.buckets), BigInt(source), BigInt(target)))
  }
}
