import { FRAME_TAG } from '../../core/encoding/row-frame.ts'
import { WaybillError } from '../../core/errors.ts'
import { ColumnScratch, type NativeColumn, nativeColumn } from './native-column.ts'
import type { NativeField } from './native-form.ts'
import { copyBytes, isNull, type VectorMemory, viewOf } from './vector-memory.ts'

/** Tag, length, number of fields. */
const HEAD = 7
const MOST_BYTES = 0x7fffffff

/** Native rows of a chunk, frame behind frame (`row-frame.ts`), in pieces; each stands in the same memory, so it is good until the next. */
export type NativeFramer = (memories: readonly VectorMemory[]) => Generator<Uint8Array>

/**
 * Makes frames column by column, so that nothing is allocated for a value, in pieces of about `pieceBytes`.
 * The framer throws NOT_REPRESENTABLE with the name of the column, TOO_LARGE.
 */
export function nativeFramer(fields: readonly NativeField[], pieceBytes: number): NativeFramer {
  const scratches = fields.map(() => new ColumnScratch())
  const usual = Buffer.allocUnsafeSlow(pieceBytes)
  return function* (memories) {
    const rows = memories[0]!.rows
    const columns = fields.map((field, index) => nativeColumn(field, memories[index]!, scratches[index]!))
    const sizes = frameSizes(columns, rows)
    for (let from = 0; from < rows; ) {
      let bytes = sizes[from]!
      let to = from + 1
      while (to < rows && bytes + sizes[to]! <= pieceBytes) bytes += sizes[to++]!
      // A new buffer for each piece would make the collector run through everything every few dozen.
      yield piece(columns, sizes, from, to, bytes <= pieceBytes ? usual.subarray(0, bytes) : Buffer.allocUnsafeSlow(bytes))
      from = to
    }
  }
}

/** Bytes of each row's frame. Doubles, because a sum of lengths may be larger than a frame can be. */
function frameSizes(columns: readonly NativeColumn[], rows: number): Float64Array {
  const fixed = columns.reduce((sum, column) => sum + 4 + (column.kind === 'fixed' ? column.width : 0), HEAD)
  const sizes = new Float64Array(rows).fill(fixed)
  for (const column of columns) {
    const { valid } = column
    if (column.kind !== 'fixed') for (let row = 0; row < rows; row++) sizes[row]! += column.lengths[row]!
    else if (valid !== null) for (let row = 0; row < rows; row++) if (isNull(valid, row)) sizes[row]! -= column.width
  }
  if (sizes.some((size) => size > MOST_BYTES)) {
    throw new WaybillError('TOO_LARGE', 'A row of the file is larger than 2 GiB. Exclude its largest column.')
  }
  return sizes
}

function piece(columns: readonly NativeColumn[], sizes: Float64Array, from: number, to: number, out: Uint8Array): Uint8Array {
  const view = viewOf(out)
  /** Where the next field of each row begins. */
  const next = new Int32Array(to - from)
  for (let row = from, at = 0; row < to; at += sizes[row++]!) {
    view.setUint8(at, FRAME_TAG)
    view.setInt32(at + 1, sizes[row]! - 1)
    view.setInt16(at + 5, columns.length)
    next[row - from] = at + HEAD
  }
  for (const column of columns) {
    if (column.kind === 'text') putTexts(column, from, to, next, view)
    else if (column.kind === 'varying') putVarying(column, from, to, next, view)
    else if (column.width === 4) putWords(column, from, to, next, view)
    else if (column.width === 8) putDoubleWords(column, from, to, next, view)
    else putBytes(column, from, to, next, view)
  }
  return out
}

type Of<Kind> = NativeColumn & { kind: Kind }

/** True where the row is NULL, which is then written. */
function putNull(valid: Uint8Array | null, row: number, index: number, next: Int32Array, view: DataView): boolean {
  if (!isNull(valid, row)) return false
  view.setInt32(next[index]!, -1)
  next[index]! += 4
  return true
}

function putWords({ valid, bytes }: Of<'fixed'>, from: number, to: number, next: Int32Array, view: DataView): void {
  for (let row = from; row < to; row++) {
    if (putNull(valid, row, row - from, next, view)) continue
    const at = next[row - from]!
    view.setInt32(at, 4)
    view.setInt32(at + 4, bytes.getInt32(row * 4))
    next[row - from] = at + 8
  }
}

function putDoubleWords({ valid, bytes }: Of<'fixed'>, from: number, to: number, next: Int32Array, view: DataView): void {
  for (let row = from; row < to; row++) {
    if (putNull(valid, row, row - from, next, view)) continue
    const at = next[row - from]!
    view.setInt32(at, 8)
    view.setInt32(at + 4, bytes.getInt32(row * 8))
    view.setInt32(at + 8, bytes.getInt32(row * 8 + 4))
    next[row - from] = at + 12
  }
}

function putBytes({ valid, width, bytes }: Of<'fixed'>, from: number, to: number, next: Int32Array, view: DataView): void {
  for (let row = from; row < to; row++) {
    if (putNull(valid, row, row - from, next, view)) continue
    const at = next[row - from]!
    view.setInt32(at, width)
    for (let i = 0; i < width; i++) view.setUint8(at + 4 + i, bytes.getUint8(row * width + i))
    next[row - from] = at + 4 + width
  }
}

function putVarying({ valid, lengths, starts, bytes }: Of<'varying'>, from: number, to: number, next: Int32Array, view: DataView): void {
  for (let row = from; row < to; row++) {
    if (putNull(valid, row, row - from, next, view)) continue
    const at = next[row - from]!
    const [length, start] = [lengths[row]!, starts[row]!]
    view.setInt32(at, length)
    copyBytes(bytes, start, length, view, at + 4)
    next[row - from] = at + 4 + length
  }
}

function putTexts({ valid, lengths, reader }: Of<'text'>, from: number, to: number, next: Int32Array, view: DataView): void {
  for (let row = from; row < to; row++) {
    if (putNull(valid, row, row - from, next, view)) continue
    const at = next[row - from]!
    const length = lengths[row]!
    view.setInt32(at, length)
    reader.copy(row, length, view, at + 4)
    next[row - from] = at + 4 + length
  }
}
