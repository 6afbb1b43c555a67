import { FRAME_TAG } from '../../core/encoding/row-frame.ts'

/** A string of n UTF-16 units takes at most this many bytes each in UTF-8. */
const MAX_BYTES_PER_UNIT = 3
const INITIAL_BYTES = 512 * 1024

/** Row frames (see `row-frame.ts`) one after another in one growing buffer: the same bytes as `encodeFrame`, without an object per value. */
export class FrameWriter {
  private buffer = Buffer.allocUnsafe(INITIAL_BYTES)
  private at = 0
  private start = 0

  get size(): number {
    return this.at
  }

  begin(fields: number): void {
    this.reserve(7)
    this.start = this.at
    this.buffer[this.at] = FRAME_TAG
    this.buffer.writeInt16BE(fields, this.at + 5)
    this.at += 7
  }

  end(): void {
    this.buffer.writeInt32BE(this.at - this.start - 1, this.start + 1)
  }

  empty(): void {
    this.reserve(4)
    this.buffer.writeInt32BE(-1, this.at)
    this.at += 4
  }

  /** Well-formed text, as UTF-8. */
  text(value: string): void {
    this.reserve(4 + value.length * MAX_BYTES_PER_UNIT)
    const written = this.buffer.write(value, this.at + 4)
    this.buffer.writeInt32BE(written, this.at)
    this.at += 4 + written
  }

  bytes(value: Uint8Array): void {
    this.reserve(4 + value.byteLength)
    this.buffer.writeInt32BE(value.byteLength, this.at)
    this.buffer.set(value, this.at + 4)
    this.at += 4 + value.byteLength
  }

  /** The bytes `from` ≤ n < `to` of a buffer. */
  part(value: Buffer, from: number, to: number): void {
    this.reserve(4 + to - from)
    this.buffer.writeInt32BE(to - from, this.at)
    value.copy(this.buffer, this.at + 4, from, to)
    this.at += 4 + to - from
  }

  /** The whole frames so far; the writer begins anew in a buffer of its own. */
  take(): Uint8Array {
    const frames = this.buffer.subarray(0, this.at)
    this.buffer = Buffer.allocUnsafe(Math.max(INITIAL_BYTES, this.buffer.length))
    this.at = 0
    return frames
  }

  private reserve(more: number): void {
    if (this.at + more <= this.buffer.length) return
    const larger = Buffer.allocUnsafe(Math.max(this.buffer.length * 2, this.at + more))
    this.buffer.copy(larger, 0, 0, this.at)
    this.buffer = larger
  }
}
