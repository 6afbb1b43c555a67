import { createHash, type Hash } from 'node:crypto'
import type { RowStream } from '../../core/encoding/row-stream.ts'
import type { KeyOrder } from './key-order.ts'

/** Rows kept of one segment and side for looking into it; a larger segment is digested and forgotten, and read again if it differs. */
const KEEP_BYTES = 6 * 1024 * 1024

/** One side of one segment: whole frames in key order, or their digest alone where there were too many to keep. */
export type SegmentPart = { rows: number } & ({ chunks: readonly Buffer[]; sha256: null } | { chunks: null; sha256: string })

/** Digests of both sides of a segment. The same bytes have the same digest: then one computation is the computation of both. */
export function partDigests(source: SegmentPart, target: SegmentPart, header: Uint8Array): { source: string; target: string } {
  const digest = (part: SegmentPart) => part.sha256 ?? digestOf(header, part.chunks).digest('hex')
  const first = digest(source)
  const same = source.chunks !== null && target.chunks !== null && sameBytes(source.chunks, target.chunks)
  return { source: first, target: same ? first : digest(target) }
}

function digestOf(header: Uint8Array, chunks: readonly Buffer[]): Hash {
  const hash = createHash('sha256').update(header)
  for (const chunk of chunks) hash.update(chunk)
  return hash
}

/** Whether two sequences of bytes are the same, however each is cut. */
function sameBytes(a: readonly Buffer[], b: readonly Buffer[]): boolean {
  let [i, j, aAt, bAt] = [0, 0, 0, 0]
  while (i < a.length && j < b.length) {
    const size = Math.min(a[i]!.byteLength - aAt, b[j]!.byteLength - bAt)
    if (a[i]!.compare(b[j]!, bAt, bAt + size, aAt, aAt + size) !== 0) return false
    aAt += size
    bAt += size
    if (aAt === a[i]!.byteLength) [i, aAt] = [i + 1, 0]
    if (bAt === b[j]!.byteLength) [j, bAt] = [j + 1, 0]
  }
  return i === a.length && j === b.length
}

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
      let hash: Hash | null = null
      let chunks: Buffer[] = []
      let rows = 0
      let bytes = 0
      for (;;) {
        if (chunk === null || row === count) {
          if (!(await advance())) break
        }
        const end = bound === null ? count : cut(bound)
        if (end > row) {
          const piece = chunk!.subarray(offsets[row]!, end === count ? chunk!.byteLength : offsets[end]!)
          rows += end - row
          bytes += piece.byteLength
          row = end
          if (hash !== null) hash.update(piece)
          else chunks.push(piece)
          if (hash === null && bytes > KEEP_BYTES) {
            hash = digestOf(header, chunks)
            chunks = []
          }
        }
        if (row < count) break
        chunk = null
      }
      return hash === null ? { rows, chunks, sha256: null } : { rows, chunks: null, sha256: hash.digest('hex') }
    },
  }
}
