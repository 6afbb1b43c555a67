import type { Mismatch } from '../../core/schemas/recon.ts'

/** The first differences stand in the result itself; all of them went to `onMismatch`. */
const MISMATCHES_IN_RESULT = 1000
/** Fewer where values are wide: a thousand rows of 10 MB would not fit into memory. At least one. */
const TEXT_IN_RESULT = 8 * 1024 * 1024

/** Differences as counted: rows missing, extra and changed, and the segments they lie in. */
export type Named = { missing: bigint; extra: bigint; changed: bigint; segments: ReadonlySet<number> }

/** Counts differences as they come; remembers only the first. */
export class DifferenceTally implements Named {
  missing = 0n
  extra = 0n
  changed = 0n
  readonly first: Mismatch[] = []
  readonly segments = new Set<number>()
  readonly #onMismatch: (mismatch: Mismatch) => void
  #text = 0

  constructor(onMismatch: (mismatch: Mismatch) => void) {
    this.#onMismatch = onMismatch
  }

  add(mismatch: Mismatch, targetSegment = mismatch.segment): void {
    if (mismatch.kind === 'changed') this.changed++
    else {
      const surplus = BigInt(mismatch.source_count) - BigInt(mismatch.target_count)
      if (surplus > 0n) this.missing += surplus
      else this.extra -= surplus
    }
    this.segments.add(mismatch.segment).add(targetSegment)
    if (this.first.length < MISMATCHES_IN_RESULT && this.#text < TEXT_IN_RESULT) {
      this.first.push(mismatch)
      for (const { value } of mismatch.key) this.#text += value?.length ?? 0
      for (const { source, target } of mismatch.columns) this.#text += (source?.length ?? 0) + (target?.length ?? 0)
    }
    this.#onMismatch(mismatch)
  }
}
