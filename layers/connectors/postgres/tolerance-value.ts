import { WaybillError } from '../../core/errors.ts'
import { decimalOf, type Exact, exactDouble } from '../../core/tolerance/exact.ts'
import type { WireKind } from './row-column.ts'
import { valueText } from './row-value.ts'

/** What a tolerance can be measured on. Numbers compare with numbers of any type; a kind of time only with its own. */
export type Measured = 'number' | 'date' | 'time' | 'timestamp' | 'timestamptz'

export function measuredAs(wire: WireKind | undefined): Measured | null {
  switch (wire) {
    case 'int2':
    case 'int4':
    case 'int8':
    case 'numeric':
    case 'float4':
    case 'float8':
      return 'number'
    case 'date':
    case 'time':
    case 'timestamp':
    case 'timestamptz':
      return wire
    default:
      return null
  }
}

const DAY_MICROS = 86_400_000_000n
/** Microseconds as thousandths of a millisecond. */
const MILLIS = 3
const ENDLESS: Readonly<Record<string, readonly [bigint, bigint]>> = {
  date: [-0x8000_0000n, 0x7fff_ffffn],
  timestamp: [-0x8000_0000_0000_0000n, 0x7fff_ffff_ffff_ffffn],
  timestamptz: [-0x8000_0000_0000_0000n, 0x7fff_ffff_ffff_ffffn],
}

const SIZES: Readonly<Partial<Record<WireKind, number>>> = { date: 4, float4: 4, float8: 8, time: 8, timestamp: 8, timestamptz: 8 }

/** The exact value of a field: a number as it is, a time in milliseconds from 2000-01-01 or midnight. @throws STREAM_TRUNCATED for bytes of another size */
export function exactValue(wire: WireKind, bytes: Uint8Array | null): Exact | null {
  if (bytes === null) return null
  const size = SIZES[wire]
  if (size === undefined) {
    const text = valueText(wire, bytes)
    return text === 'NaN' || text === 'Infinity' || text === '-Infinity' ? text : decimalOf(text)
  }
  if (bytes.byteLength !== size)
    throw new WaybillError('STREAM_TRUNCATED', `A value of type ${wire} has ${bytes.byteLength} bytes instead of ${size}.`)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (wire === 'float4') return exactDouble(view.getFloat32(0))
  if (wire === 'float8') return exactDouble(view.getFloat64(0))
  const raw = wire === 'date' ? BigInt(view.getInt32(0)) : view.getBigInt64(0)
  const ends = ENDLESS[wire]
  if (raw === ends?.[0]) return '-Infinity'
  if (raw === ends?.[1]) return 'Infinity'
  return { unscaled: wire === 'date' ? raw * DAY_MICROS : raw, scale: MILLIS }
}
