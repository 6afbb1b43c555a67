import { WaybillError } from '../../core/errors.ts'
import type { RowColumn, WireKind } from './row-column.ts'

/** Key columns stand first in the row encoding, so a key is compared without walking the row. */
export type KeyOrder = {
  width: number
  /** Compares the keys of two frames, given where each frame begins. Negative, zero or positive. @throws SEGMENT_INCOMPLETE for a NULL key */
  compare(a: Buffer, aFrame: number, b: Buffer, bFrame: number): number
}

/** Bytes before the first field: tag, length, field count. */
const FIRST_FIELD = 7

export function keyOrder(columns: readonly RowColumn[]): KeyOrder {
  const wires = columns.map((column) => column.wire)
  return {
    width: wires.length,
    compare(a, aFrame, b, bFrame) {
      let aAt = aFrame + FIRST_FIELD
      let bAt = bFrame + FIRST_FIELD
      for (const wire of wires) {
        const aLength = a.readInt32BE(aAt)
        const bLength = b.readInt32BE(bAt)
        aAt += 4
        bAt += 4
        if (aLength < 0 || bLength < 0) throw nullKey()
        const order = compareValue(wire, a, aAt, aLength, b, bAt, bLength)
        if (order !== 0) return order
        aAt += aLength
        bAt += bLength
      }
      return 0
    },
  }
}

function nullKey(): WaybillError {
  return new WaybillError(
    'SEGMENT_INCOMPLETE',
    'A key column declared NOT NULL gave NULL. Check the constraints of the table, then run again.',
  )
}

function compareValue(wire: WireKind, a: Buffer, aAt: number, aLength: number, b: Buffer, bAt: number, bLength: number): number {
  switch (wire) {
    case 'int8':
    case 'time':
    case 'timestamp':
    case 'timestamptz':
      return a.readInt32BE(aAt) - b.readInt32BE(bAt) || a.readUInt32BE(aAt + 4) - b.readUInt32BE(bAt + 4)
    case 'int4':
    case 'date':
      return a.readInt32BE(aAt) - b.readInt32BE(bAt)
    case 'int2':
      return a.readInt16BE(aAt) - b.readInt16BE(bAt)
    case 'numeric':
      return compareNumeric(a, aAt, b, bAt)
    default:
      return a.compare(b, bAt, bAt + bLength, aAt, aAt + aLength)
  }
}

/** NaN sorts above infinity, as in PostgreSQL. */
function rank(sign: number): number {
  return sign === 0xc000 ? 3 : sign === 0xd000 ? 2 : sign === 0xf000 ? -2 : sign === 0x4000 ? -1 : 1
}

function compareNumeric(a: Buffer, aAt: number, b: Buffer, bAt: number): number {
  const aCount = a.readInt16BE(aAt)
  const bCount = b.readInt16BE(bAt)
  const aRank = aCount === 0 && rank(a.readUInt16BE(aAt + 4)) === 1 ? 0 : rank(a.readUInt16BE(aAt + 4))
  const bRank = bCount === 0 && rank(b.readUInt16BE(bAt + 4)) === 1 ? 0 : rank(b.readUInt16BE(bAt + 4))
  if (aRank !== bRank || Math.abs(aRank) !== 1) return aRank - bRank
  return aRank * compareMagnitude(a, aAt, aCount, b, bAt, bCount)
}

function compareMagnitude(a: Buffer, aAt: number, aCount: number, b: Buffer, bAt: number, bCount: number): number {
  const weight = a.readInt16BE(aAt + 2) - b.readInt16BE(bAt + 2)
  if (weight !== 0) return weight
  for (let i = 0; i < Math.max(aCount, bCount); i++) {
    const digit = (i < aCount ? a.readInt16BE(aAt + 8 + 2 * i) : 0) - (i < bCount ? b.readInt16BE(bAt + 8 + 2 * i) : 0)
    if (digit !== 0) return digit
  }
  return 0
}
