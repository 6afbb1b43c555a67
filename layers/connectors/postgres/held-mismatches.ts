import type { Mismatch } from '../../core/schemas/recon.ts'

/** Text held of one table's differences: what an attempt that may be given up can cost in memory. */
const HELD_CHARACTERS = 8 * 1024 * 1024

/**
 * Differences of one attempt at one table. They are handed on when the attempt stands, and dropped when the table is begun again; when there
 * are too many to hold they are handed on as they come, and from then on the table cannot be begun again.
 */
export class HeldMismatches {
  readonly #hand: (mismatch: Mismatch) => void
  #held: Mismatch[] = []
  #characters = 0
  #handing = false

  constructor(hand: (mismatch: Mismatch) => void) {
    this.#hand = hand
  }

  add(mismatch: Mismatch): void {
    if (this.#handing) {
      this.#hand(mismatch)
      return
    }
    this.#held.push(mismatch)
    for (const { value } of mismatch.key) this.#characters += 64 + (value?.length ?? 0)
    for (const { source, target } of mismatch.columns) this.#characters += 64 + (source?.length ?? 0) + (target?.length ?? 0)
    if (this.#characters > HELD_CHARACTERS) this.release()
  }

  /** Some were handed on and cannot be taken back. */
  get final(): boolean {
    return this.#handing
  }

  release(): void {
    this.#handing = true
    const held = this.#held
    this.#held = []
    for (const mismatch of held) this.#hand(mismatch)
  }
}
