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
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength)
  const broken = () => new WaybillError('STREAM_TRUNCATED', 'A row arrived in pieces that do not fit together. Run the comparison again.')
  if (frame.byteLength < 7 || frame[0] !== FRAME_TAG || view.getInt32(1) !== frame.byteLength - 1) throw broken()
  const fields: (Uint8Array | null)[] = []
  let at = 7
  for (let left = view.getInt16(5); left > 0; left--) {
    if (at + 4 > frame.byteLength) throw broken()
    const length = view.getInt32(at)
    at += 4
    if (length === -1) {
      fields.push(null)
      continue
    }
    if (length < 0 || at + length > frame.byteLength) throw broken()
    fields.push(frame.subarray(at, at + length))
    at += length
  }
  if (at !== frame.byteLength) throw broken()
  return fields
}
