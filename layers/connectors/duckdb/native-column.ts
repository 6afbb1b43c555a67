import { WaybillError } from '../../core/errors.ts'
import { jsonbText } from './jsonb-text.ts'
import { type NativeField, scaleOf, widthOf } from './native-form.ts'
import { NUMERIC_BYTES, NumericWriter } from './native-numeric.ts'
import { ofColumn } from './text-value.ts'
import { isNull, TextReader, textLength, type VectorMemory, viewOf } from './vector-memory.ts'

/** Days and microseconds from 1970 to 2000. */
const EPOCH_DAYS = 10_957
const EPOCH_MICROS = 946_684_800_000_000
const EPOCH_HIGH = Math.floor(EPOCH_MICROS / 2 ** 32)
const EPOCH_LOW = EPOCH_MICROS % 2 ** 32
const INT32_MAX = 0x7fffffff
const INT32_MIN = -0x80000000
const UINT32_MAX = 0xffffffff
const FLOAT4_NAN = 0x7fc00000
const FLOAT8_NAN = 0x7ff80000

/** The native bytes of one column of a chunk. `bytes` of a text stay in DuckDB's memory. Where a row is NULL, whatever stands there means nothing. */
export type NativeColumn = { valid: Uint8Array | null } & (
  | { kind: 'fixed'; width: number; bytes: DataView }
  | { kind: 'varying'; lengths: Int32Array; starts: Int32Array; bytes: DataView }
  | { kind: 'text'; lengths: Int32Array; reader: TextReader }
)

/** Memory of one column that each chunk uses again: what is made of a chunk is good until the next one. */
export class ColumnScratch {
  #bytes = new DataView(new ArrayBuffer(0))
  #starts = new Int32Array(0)
  #lengths = new Int32Array(0)

  /** At least so many bytes, holding anything. */
  bytes(size: number): DataView {
    if (this.#bytes.byteLength < size) this.#bytes = new DataView(new ArrayBuffer(size))
    return this.#bytes
  }

  starts(rows: number): Int32Array {
    if (this.#starts.length < rows) this.#starts = new Int32Array(rows)
    return this.#starts
  }

  /** All 0. */
  lengths(rows: number): Int32Array {
    if (this.#lengths.length < rows) this.#lengths = new Int32Array(rows)
    return this.#lengths.fill(0)
  }
}

/** @throws NOT_REPRESENTABLE with the name of the column, for a value beyond what PostgreSQL's type can hold */
export function nativeColumn(field: NativeField, memory: VectorMemory, scratch: ColumnScratch): NativeColumn {
  const { form, type } = field
  const { rows, data } = memory
  switch (form.wire) {
    case 'bool': {
      const into = scratch.bytes(rows * 1)
      for (let row = 0; row < rows; row++) into.setUint8(row, data.getUint8(row) === 0 ? 0 : 1)
      return fixed(memory, 1, into)
    }
    case 'int2': {
      const into = scratch.bytes(rows * 2)
      for (let at = 0; at < rows * 2; at += 2) into.setInt16(at, data.getInt16(at, true))
      return fixed(memory, 2, into)
    }
    case 'int4': {
      const into = scratch.bytes(rows * 4)
      for (let at = 0; at < rows * 4; at += 4) into.setInt32(at, data.getInt32(at, true))
      return fixed(memory, 4, into)
    }
    case 'int8':
    case 'time': {
      const into = scratch.bytes(rows * 8)
      for (let at = 0; at < rows * 8; at += 8) {
        into.setInt32(at, data.getInt32(at + 4, true))
        into.setInt32(at + 4, data.getInt32(at, true))
      }
      return fixed(memory, 8, into)
    }
    case 'float4': {
      const into = scratch.bytes(rows * 4)
      for (let at = 0; at < rows * 4; at += 4) {
        const bits = data.getInt32(at, true)
        into.setInt32(at, (bits & INT32_MAX) > 0x7f800000 ? FLOAT4_NAN : bits)
      }
      return fixed(memory, 4, into)
    }
    case 'float8':
      return fixed(memory, 8, doubles(memory, scratch))
    case 'date':
      return fixed(memory, 4, dates(field, memory, scratch))
    case 'timestamp':
    case 'timestamptz':
      return fixed(memory, 8, moments(field, memory, scratch))
    case 'interval':
      return fixed(memory, 16, intervals(field, memory, scratch))
    case 'uuid': {
      const into = scratch.bytes(rows * 16)
      for (let at = 0; at < rows * 16; at += 16) {
        // DuckDB turns the first bit over, so that ids sort as signed numbers of 128 bits.
        into.setInt32(at, data.getInt32(at + 12, true) ^ INT32_MIN)
        into.setInt32(at + 4, data.getInt32(at + 8, true))
        into.setInt32(at + 8, data.getInt32(at + 4, true))
        into.setInt32(at + 12, data.getInt32(at, true))
      }
      return fixed(memory, 16, into)
    }
    case 'numeric':
      return numbers(new NumericWriter(widthOf(type), scaleOf(type) ?? 0, form.scale), memory, scratch)
    case 'utf8':
    case 'bytea':
      return texts(memory, scratch)
    case 'jsonb':
      return documents(field, memory, scratch)
  }
}

function fixed({ valid }: VectorMemory, width: number, bytes: DataView): NativeColumn {
  return { kind: 'fixed', valid, width, bytes }
}

function beyond({ column }: NativeField): never {
  const message = `Column ${JSON.stringify(column)} of the file holds a value that PostgreSQL's type cannot hold. Exclude it, or mend the file.`
  throw new WaybillError('NOT_REPRESENTABLE', message)
}

/** −0 stays; every NaN is one. */
function doubles({ rows, data }: VectorMemory, scratch: ColumnScratch): DataView {
  const into = scratch.bytes(rows * 8)
  for (let at = 0; at < rows * 8; at += 8) {
    const low = data.getInt32(at, true)
    const high = data.getInt32(at + 4, true)
    const size = high & INT32_MAX
    const nan = size > 0x7ff00000 || (size === 0x7ff00000 && low !== 0)
    into.setInt32(at, nan ? FLOAT8_NAN : high)
    into.setInt32(at + 4, nan ? 0 : low)
  }
  return into
}

/** PostgreSQL's infinities are the largest and the smallest number, DuckDB's the largest and its negative. */
function dates(field: NativeField, { rows, data, valid }: VectorMemory, scratch: ColumnScratch): DataView {
  const into = scratch.bytes(rows * 4)
  for (let row = 0; row < rows; row++) {
    const days = data.getInt32(row * 4, true)
    const since = days === INT32_MAX ? INT32_MAX : days === -INT32_MAX ? INT32_MIN : days - EPOCH_DAYS
    if (since <= INT32_MIN && days !== -INT32_MAX && !isNull(valid, row)) beyond(field)
    into.setInt32(row * 4, since)
  }
  return into
}

/** 64 bits as two halves, the difference of the epochs taken off with a borrow. Infinities as with dates. */
function moments(field: NativeField, { rows, data, valid }: VectorMemory, scratch: ColumnScratch): DataView {
  const into = scratch.bytes(rows * 8)
  for (let row = 0, at = 0; row < rows; row++, at += 8) {
    const low = data.getUint32(at, true)
    const high = data.getInt32(at + 4, true)
    if (high === INT32_MAX && low === UINT32_MAX) {
      into.setInt32(at, INT32_MAX)
      into.setUint32(at + 4, UINT32_MAX)
      continue
    }
    if (high === INT32_MIN && low === 1) {
      into.setInt32(at, INT32_MIN)
      into.setUint32(at + 4, 0)
      continue
    }
    const borrow = low < EPOCH_LOW ? 1 : 0
    const above = high - EPOCH_HIGH - borrow
    const below = low - EPOCH_LOW + borrow * 2 ** 32
    if ((above < INT32_MIN || (above === INT32_MIN && below === 0)) && !isNull(valid, row)) beyond(field)
    into.setInt32(at, above)
    into.setUint32(at + 4, below)
  }
  return into
}

/** Microseconds, days, months. What PostgreSQL means by an infinite interval would be a number here. */
function intervals(field: NativeField, { rows, data, valid }: VectorMemory, scratch: ColumnScratch): DataView {
  const into = scratch.bytes(rows * 16)
  for (let row = 0, at = 0; row < rows; row++, at += 16) {
    const [months, days] = [data.getInt32(at, true), data.getInt32(at + 4, true)]
    const [low, high] = [data.getUint32(at + 8, true), data.getInt32(at + 12, true)]
    const most = months === INT32_MAX && days === INT32_MAX && high === INT32_MAX && low === UINT32_MAX
    const least = months === INT32_MIN && days === INT32_MIN && high === INT32_MIN && low === 0
    if ((most || least) && !isNull(valid, row)) beyond(field)
    into.setInt32(at, high)
    into.setUint32(at + 4, low)
    into.setInt32(at + 8, days)
    into.setInt32(at + 12, months)
  }
  return into
}

function numbers(writer: NumericWriter, { rows, data, valid }: VectorMemory, scratch: ColumnScratch): NativeColumn {
  const into = scratch.bytes(rows * NUMERIC_BYTES)
  const [starts, lengths] = [scratch.starts(rows), scratch.lengths(rows)]
  for (let row = 0, at = 0; row < rows; row++) {
    if (isNull(valid, row)) continue
    starts[row] = at
    lengths[row] = writer.write(data, row, into, at)
    at += lengths[row]!
  }
  return { kind: 'varying', valid, lengths, starts, bytes: into }
}

function texts(memory: VectorMemory, scratch: ColumnScratch): NativeColumn {
  const { rows, valid } = memory
  const lengths = scratch.lengths(rows)
  for (let row = 0; row < rows; row++) if (!isNull(valid, row)) lengths[row] = textLength(memory, row)
  return { kind: 'text', valid, lengths, reader: new TextReader(memory) }
}

/** jsonb: a byte with its version, and the text that PostgreSQL would print. */
function documents({ column }: NativeField, memory: VectorMemory, scratch: ColumnScratch): NativeColumn {
  const { rows, valid } = memory
  const reader = new TextReader(memory)
  const [starts, lengths] = [scratch.starts(rows), scratch.lengths(rows)]
  const values: Buffer[] = []
  for (let row = 0, at = 0; row < rows; row++) {
    if (isNull(valid, row)) continue
    const text = Buffer.allocUnsafe(textLength(memory, row))
    reader.copy(row, text.byteLength, viewOf(text), 0)
    try {
      values.push(Buffer.from(`\u0001${jsonbText(text.toString('utf8'))}`))
    } catch (error) {
      throw ofColumn(column, error)
    }
    starts[row] = at
    lengths[row] = values.at(-1)!.byteLength
    at += lengths[row]!
  }
  return { kind: 'varying', valid, lengths, starts, bytes: viewOf(Buffer.concat(values)) }
}
