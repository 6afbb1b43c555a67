import { decodeFrame } from '../../core/encoding/row-frame.ts'
import type { Mismatch } from '../../core/schemas/recon.ts'
import type { RowColumn } from './row-column.ts'
import { valueText } from './row-value.ts'

/** Turns differing rows into mismatches: values as exact text, masked. */
export type Differ = {
  /** `frame` is on one side only, or there more often than on the other. */
  lone(kind: 'missing' | 'extra', frame: Uint8Array, segment: number, sourceCount: bigint, targetCount: bigint): Mismatch
  /** Same key, other values. */
  changed(source: Uint8Array, target: Uint8Array, segment: number): Mismatch
}

/** The first `keyWidth` columns are the key; 0 when the table has none. */
export function differ(columns: readonly RowColumn[], keyWidth: number, mask: (value: string | null) => string | null): Differ {
  const text = (column: number, bytes: Uint8Array | null | undefined) =>
    mask(bytes === null || bytes === undefined ? null : valueText(columns[column]!.wire, bytes))
  const keyOf = (fields: readonly (Uint8Array | null)[]) =>
    columns.slice(0, keyWidth).map((column, i) => ({ column: column.name, value: text(i, fields[i]) }))
  return {
    lone(kind, frame, segment, sourceCount, targetCount) {
      const fields = decodeFrame(frame)
      return {
        kind,
        segment,
        key: keyOf(fields),
        columns: columns.slice(keyWidth).map((column, i) => {
          const value = text(keyWidth + i, fields[keyWidth + i])
          return kind === 'missing'
            ? { column: column.name, source: value, target: null }
            : { column: column.name, source: null, target: value }
        }),
        source_count: String(sourceCount),
        target_count: String(targetCount),
      }
    },
    changed(source, target, segment) {
      const before = decodeFrame(source)
      const after = decodeFrame(target)
      return {
        kind: 'changed',
        segment,
        key: keyOf(before),
        columns: columns.flatMap((column, i) =>
          i < keyWidth || sameField(before[i], after[i])
            ? []
            : [{ column: column.name, source: text(i, before[i]), target: text(i, after[i]) }],
        ),
        source_count: '1',
        target_count: '1',
      }
    },
  }
}

export function sameField(a: Uint8Array | null | undefined, b: Uint8Array | null | undefined): boolean {
  if (a === null || a === undefined || b === null || b === undefined) return a === b
  return Buffer.compare(a, b) === 0
}
