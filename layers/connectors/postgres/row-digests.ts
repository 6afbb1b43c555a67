import { hash } from 'node:crypto'
import { DIGEST } from './digest-sort.ts'
import { INPUT, INPUT_BYTES, type LaneHasher, laneHasher, OUTPUT } from './sha256-lanes.ts'

/** SHA-256 of every frame of `chunk` (whole frames), 32 bytes each, in order. The result is valid until the next call. */
export type RowHasher = { digests(chunk: Buffer): Buffer }

/** Above this many bytes a row, OpenSSL with the processor's SHA instructions wins over four lanes without them. */
const LONG_ROW = 900
/** Below this many rows at once the memory of the lanes costs more than they save. */
const FEW_ROWS = 64

/** A hasher of its own memory (1.5 MiB as soon as many rows come at once); use one per stream. */
export function rowHasher(): RowHasher {
  let lanes: LaneHasher | null | undefined
  let out = Buffer.allocUnsafeSlow(64 * 1024)
  const room = (used: number, more: number) => {
    if (used + more <= out.byteLength) return
    const larger = Buffer.allocUnsafeSlow(Math.max(out.byteLength * 2, used + more))
    out.copy(larger, 0, 0, used)
    out = larger
  }
  return {
    digests(chunk) {
      let used = 0
      for (let at = 0; at < chunk.byteLength; ) {
        const { end, rows } = piece(chunk, at)
        room(used, rows * DIGEST)
        if (rows >= FEW_ROWS && lanes === undefined) lanes = checkedLanes()
        if (lanes == null || rows < FEW_ROWS || end - at > INPUT_BYTES || end - at > rows * LONG_ROW) {
          used = oneByOne(chunk, at, end, out, used)
        } else {
          chunk.copy(lanes.memory, INPUT, at, end)
          const bytes = lanes.run(INPUT + end - at) * DIGEST
          lanes.memory.copy(out, used, OUTPUT, OUTPUT + bytes)
          used += bytes
        }
        at = end
      }
      return out.subarray(0, used)
    },
  }
}

/** As many frames from `at` on as fit into one call, at least one. */
function piece(chunk: Buffer, at: number): { end: number; rows: number } {
  let end = at
  let rows = 0
  while (end < chunk.byteLength) {
    const next = end + 1 + chunk.readInt32BE(end + 1)
    if (next - at > INPUT_BYTES && rows > 0) break
    end = next
    rows++
  }
  return { end, rows }
}

function oneByOne(chunk: Buffer, from: number, to: number, out: Buffer, used: number): number {
  let at = used
  for (let frame = from; frame < to; ) {
    const next = frame + 1 + chunk.readInt32BE(frame + 1)
    hash('sha256', chunk.subarray(frame, next), 'buffer').copy(out, at)
    at += DIGEST
    frame = next
  }
  return at
}

let trusted: boolean | undefined

/** The lanes, once they have given OpenSSL's digest for every length around the block boundaries; null, and OpenSSL row by row, otherwise. */
function checkedLanes(): LaneHasher | null {
  if (trusted === false) return null
  const lanes = laneHasher()
  if (lanes === null) return null
  trusted ??= agrees(lanes)
  return trusted ? lanes : null
}

function agrees(lanes: LaneHasher): boolean {
  const frames = Array.from({ length: 200 }, (_, i) => {
    const frame = Buffer.alloc(7 + ((i * 67) % 200), i)
    frame.writeInt32BE(frame.byteLength - 1, 1)
    return frame
  })
  const all = Buffer.concat(frames)
  all.copy(lanes.memory, INPUT)
  if (lanes.run(INPUT + all.byteLength) !== frames.length) return false
  return frames.every((frame, i) =>
    hash('sha256', frame, 'buffer').equals(lanes.memory.subarray(OUTPUT + i * DIGEST, OUTPUT + (i + 1) * DIGEST)),
  )
}
