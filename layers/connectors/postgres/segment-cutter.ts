import { createHash, type Hash } from 'node:crypto'
import type { RowStream } from '../../core/encoding/row-stream.ts'
import type { KeyOrder } from './key-order.ts'

/** Rows kept of one segment and side for looking into it; a larger segment is digested and forgotten, and read again if it differs. */
const KEEP_BYTES = 6 * 1024 * 1024

/** One side of one segment. `chunks` are whole frames in key order, or null when it was too large to keep. */
export type SegmentPart = { rows: number; bytes: number; sha256: string; chunks: readonly Buffer[] | null }

/** Cuts a stream in key order at the bounds of segments. */
export type SegmentCutter = {
  /** The next segment: every row up to, not including, the key in the frame `bound`; null: up to the end. */
  next(bound: Buffer | null): Promise<SegmentPart>
}

export function segmentCutter(stream: RowStream, order: KeyOrder, header: Uint8Array): SegmentCutter {
  const iterator = stream.chunks[Symbol.asyncIterator]()
  let chunk: Buffer | null = null
  let offsets = new Int32Array(4096)
  let count = 0
  let row = 0

  async function advance(): Promise<boolean> {
    const next = await iterator.next()
    if (next.done === true) return false
    chunk = Buffer.from(next.value.buffer, next.value.byteOffset, next.value.byteLength)
    count = 0
    row = 0
    for (let at = 0; at < chunk.byteLength; at += 1 + chunk.readInt32BE(at + 1)) {
      if (count === offsets.length) {
        const larger = new Int32Array(offsets.length * 2)
        larger.set(offsets)
        offsets = larger
      }
      offsets[count++] = at
    }
    return true
  }

  /** First row at or behind the bound, from `row` on. */
  function cut(bound: Buffer): number {
    if (order.compare(chunk!, offsets[count - 1]!, bound, 0) < 0) return count
    let low = row
    let high = count - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if (order.compare(chunk!, offsets[middle]!, bound, 0) < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  return {
    async next(bound) {
      const hash: Hash = createHash('sha256').update(header)
      let chunks: Buffer[] | null = []
      let rows = 0
      let bytes = 0
      for (;;) {
        if (chunk === null || row === count) {
          if (!(await advance())) break
        }
        const end = bound === null ? count : cut(bound)
        if (end > row) {
          const piece = chunk!.subarray(offsets[row]!, end === count ? chunk!.byteLength : offsets[end]!)
          hash.update(piece)
          rows += end - row
          bytes += piece.byteLength
          if (chunks !== null) {
            if (bytes > KEEP_BYTES) chunks = null
            else chunks.push(piece)
          }
          row = end
        }
        if (row < count) break
        chunk = null
      }
      return { rows, bytes, sha256: hash.digest('hex'), chunks }
    },
  }
}
