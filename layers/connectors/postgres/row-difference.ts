import { FrameFields } from '../../core/encoding/row-frame.ts'
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
  const before = new FrameFields()
  const after = new FrameFields()
  const text = (i: number, fields: FrameFields, side: 'source' | 'target') => {
    const { wire, targetWire = wire } = columns[i]!
    const bytes = fields.field(i)
    return mask(bytes === null ? null : valueText(side === 'source' ? wire : targetWire, bytes))
  }
  const keyOf = (fields: FrameFields) =>
    columns.slice(0, keyWidth).map((column, i) => ({ column: column.name, value: text(i, fields, 'source') }))
  return {
    lone(kind, frame, segment, sourceCount, targetCount) {
      before.read(frame)
      return {
        kind,
        segment,
        key: keyOf(before),
        columns: columns.slice(keyWidth).map((column, i) => {
          const value = text(keyWidth + i, before, kind === 'missing' ? 'source' : 'target')
          return kind === 'missing'
            ? { column: column.name, source: value, target: null }
            : { column: column.name, source: null, target: value }
        }),
        source_count: String(sourceCount),
        target_count: String(targetCount),
      }
    },
    changed(source, target, segment) {
      before.read(source)
      after.read(target)
      const differing: Mismatch['columns'] = []
      for (let i = keyWidth; i < columns.length; i++) {
        const { name, same } = columns[i]!
        if (same === undefined ? before.same(after, i) : same(before.field(i), after.field(i))) continue
        differing.push({ column: name, source: text(i, before, 'source'), target: text(i, after, 'target') })
      }
      return { kind: 'changed', segment, key: keyOf(before), columns: differing, source_count: '1', target_count: '1' }
    },
  }
}
