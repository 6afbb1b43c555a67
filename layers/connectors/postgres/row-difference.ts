import { decodeFrame } from '../../core/encoding/row-frame.ts'
import type { Mismatch } from '../../core/schemas/recon.ts'
import type { WireKind } from './row-column.ts'
import { valueText } from './row-value.ts'

/** Turns differing rows into mismatches: values as exact text, masked. */
export type Differ = {
  /** `frame` is on one side only, or there more often than on the other. */
  lone(kind: 'missing' | 'extra', frame: Uint8Array, segment: number, sourceCount: bigint, targetCount: bigint): Mismatch
  /** Same key, other values. */
  changed(source: Uint8Array, target: Uint8Array, segment: number): Mismatch
}

/** One field of a frame. `same`: what counts as no difference, where that is not the same bytes. */
export type ReadColumn = {
  name: string
  wire: WireKind
  /** Where the target sends another form than the source. */
  targetWire?: WireKind
  same?: (source: Uint8Array | null, target: Uint8Array | null) => boolean
}

/** The first `keyWidth` columns are the key; 0 when the table has none. */
export function differ(columns: readonly ReadColumn[], keyWidth: number, mask: (value: string | null) => string | null): Differ {
  const text = (column: number, bytes: Uint8Array | null | undefined, side: 'source' | 'target') => {
    const { wire, targetWire = wire } = columns[column]!
    return mask(bytes === null || bytes === undefined ? null : valueText(side === 'source' ? wire : targetWire, bytes))
  }
  const keyOf = (fields: readonly (Uint8Array | null)[]) =>
    columns.slice(0, keyWidth).map((column, i) => ({ column: column.name, value: text(i, fields[i], 'source') }))
  return {
    lone(kind, frame, segment, sourceCount, targetCount) {
      const fields = decodeFrame(frame)
      return {
        kind,
        segment,
        key: keyOf(fields),
        columns: columns.slice(keyWidth).map((column, i) => {
          const value = text(keyWidth + i, fields[keyWidth + i], kind === 'missing' ? 'source' : 'target')
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
          i < keyWidth || (column.same ?? sameField)(before[i] ?? null, after[i] ?? null)
            ? []
            : [{ column: column.name, source: text(i, before[i], 'source'), target: text(i, after[i], 'target') }],
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
