import { WaybillError } from '../errors.ts'

/**
 * One row in bytes, the same on every connector:
 *
 *     0x64 | int32 length (of what follows, itself included) | int16 fields | per field: int32 length, or −1 for NULL | bytes
 *
 * All integers big-endian. Every field is framed, so no value can be mistaken for two, and NULL is no value at all.
 * It is what PostgreSQL sends per row of a binary COPY, so that side's bytes are digested as they arrive.
 */
export const FRAME_TAG = 0x64
const FRAME_HEAD = 5

/** A row of encoded values (null: NULL) as one frame. */
export function encodeFrame(fields: readonly (Uint8Array | null)[]): Uint8Array {
  const size = fields.reduce((sum, field) => sum + 4 + (field?.byteLength ?? 0), FRAME_HEAD + 2)
  const frame = new Uint8Array(size)
  const view = new DataView(frame.buffer)
  frame[0] = FRAME_TAG
  view.setInt32(1, size - 1)
  view.setInt16(5, fields.length)
  let at = 7
  for (const field of fields) {
    view.setInt32(at, field === null ? -1 : field.byteLength)
    at += 4
    if (field === null) continue
    frame.set(field, at)
    at += field.byteLength
  }
  return frame
}

/** The fields of one frame, as views into it. @throws STREAM_TRUNCATED when it is not exactly one whole frame */
export function decodeFrame(frame: Uint8Array): (Uint8Array | null)[] {
  const fields = new FrameFields(frame)
  return Array.from({ length: fields.count }, (_, i) => fields.field(i))
}

/** Where the fields of a frame lie, found in the same memory for one frame after another: a view for each field costs more than to look at it. */
export class FrameFields {
  count = 0
  #frame: Uint8Array = NO_BYTES
  /** Begin and length of each field by turns; the length of NULL is −1. */
  #spots = NO_SPOTS

  /** @throws STREAM_TRUNCATED as `read` does */
  constructor(frame?: Uint8Array) {
    if (frame !== undefined) this.read(frame)
  }

  /** @throws STREAM_TRUNCATED when it is not exactly one whole frame; the fields of an earlier frame are gone then as well */
  read(frame: Uint8Array): void {
    this.count = 0
    const size = frame.byteLength
    if (size < 7 || frame[0] !== FRAME_TAG || int32(frame, 1) !== size - 1) throw broken()
    const count = Math.max(0, ((frame[5]! << 24) | (frame[6]! << 16)) >> 16)
    if (this.#spots.length < 2 * count) this.#spots = new Int32Array(2 * count)
    let at = FRAME_HEAD + 2
    for (let i = 0; i < count; i++) {
      if (at + 4 > size) throw broken()
      const length = int32(frame, at)
      at += 4
      if (length < -1 || at + length > size) throw broken()
      this.#spots[2 * i] = at
      this.#spots[2 * i + 1] = length
      if (length > 0) at += length
    }
    if (at !== size) throw broken()
    this.#frame = frame
    this.count = count
  }

  /** A view of one field; null for NULL and for a field that the frame does not have. */
  field(i: number): Uint8Array | null {
    const length = this.#length(i)
    return length === -1 ? null : new Uint8Array(this.#frame.buffer, this.#frame.byteOffset + this.#spots[2 * i]!, length)
  }

  /** True where both frames hold the same bytes in a field, or both nothing. */
  same(other: FrameFields, i: number): boolean {
    const length = this.#length(i)
    if (length !== other.#length(i)) return false
    const [mine, its] = [this.#frame, other.#frame]
    for (let k = 0, a = this.#spots[2 * i]!, b = other.#spots[2 * i]!; k < length; k++) if (mine[a + k] !== its[b + k]) return false
    return true
  }

  #length(i: number): number {
    return i < this.count ? this.#spots[2 * i + 1]! : -1
  }
}

const NO_BYTES = new Uint8Array(0)
const NO_SPOTS = new Int32Array(0)

function int32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!
}

function broken(): WaybillError {
  return new WaybillError('STREAM_TRUNCATED', 'A row arrived in pieces that do not fit together. Run the comparison again.')
}
