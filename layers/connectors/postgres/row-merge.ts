import { WaybillError } from '../../core/errors.ts'
import type { Emit } from './comparison.ts'
import type { KeyOrder } from './key-order.ts'
import type { Differ } from './row-difference.ts'

type Chunks = AsyncIterable<Uint8Array> | Iterable<Uint8Array>

/** Runs of equal rows are skipped by comparing this many bytes, then twice as many, and so on: one call instead of many for each row. */
const FIRST_BLOCK = 1024

/** Frames of chunks, one at a time; checks that keys ascend, because the merge is only right if they do. */
class FrameReader {
  readonly #iterator: AsyncIterator<Uint8Array> | Iterator<Uint8Array>
  readonly #order: KeyOrder
  #chunk: Buffer = Buffer.alloc(0)
  #at = 0
  frame: Buffer | null = null

  constructor(chunks: Chunks, order: KeyOrder) {
    this.#iterator = Symbol.asyncIterator in chunks ? chunks[Symbol.asyncIterator]() : chunks[Symbol.iterator]()
    this.#order = order
  }

  /** The next frame of the chunk at hand; false when there is none and `load` must be awaited. */
  step(): boolean {
    if (this.#at === this.#chunk.byteLength) return false
    const end = this.#at + 1 + this.#chunk.readInt32BE(this.#at + 1)
    const frame = this.#chunk.subarray(this.#at, end)
    if (this.frame !== null && this.#order.compare(this.frame, 0, frame, 0) >= 0) {
      throw new WaybillError(
        'SEGMENT_INCOMPLETE',
        'Rows did not arrive in the order of a unique key: two rows have one key, or an index of this table is damaged. Name a key that is unique, or check the index (amcheck, REINDEX), then run again.',
      )
    }
    this.#at = end
    this.frame = frame
    return true
  }

  /** The first frame of the next chunk; `frame` is null at the end. */
  async load(): Promise<void> {
    do {
      const result = await this.#iterator.next()
      if (result.done === true) {
        this.frame = null
        return
      }
      this.#chunk = Buffer.from(result.value.buffer, result.value.byteOffset, result.value.byteLength)
      this.#at = 0
    } while (!this.step())
  }

  /**
   * Passes over rows that are the same on both sides from here on, as far as both chunks at hand go: the same bytes are the same frames.
   * Afterwards `frame` of both is the last of them, against which the next key is checked.
   */
  skipEqual(other: FrameReader): void {
    const most = Math.min(this.#chunk.byteLength - this.#at, other.#chunk.byteLength - other.#at)
    let equal = 0
    for (let block = FIRST_BLOCK; equal < most && block >= FIRST_BLOCK; ) {
      const size = Math.min(block, most - equal)
      const [mine, its] = [this.#at + equal, other.#at + equal]
      if (this.#chunk.compare(other.#chunk, its, its + size, mine, mine + size) === 0) {
        equal += size
        block *= 2
      } else {
        block = Math.floor(size / 2)
      }
    }
    let last = -1
    let at = 0
    while (at + 5 <= equal) {
      const next = at + 1 + this.#chunk.readInt32BE(this.#at + at + 1)
      if (next > equal) break
      last = at
      at = next
    }
    if (last === -1) return
    this.#take(last, at)
    other.#take(last, at)
  }

  #take(from: number, to: number): void {
    this.frame = this.#chunk.subarray(this.#at + from, this.#at + to)
    this.#at += to
  }
}

/** What is done with rows of two sides that are walked in key order. */
export type KeyWalk = {
  lone(kind: 'missing' | 'extra', frame: Buffer): void
  /** One key on both sides; with `differing`, only where the rows are not the same bytes. */
  both(source: Buffer, target: Buffer): void
  /** Rows that are the same need not be shown: runs of them are skipped in blocks. */
  differing?: boolean
}

/** Walks both sides in key order, each key once; memory is one chunk a side. @throws SEGMENT_INCOMPLETE when keys do not ascend */
export async function walkByKey(source: Chunks, target: Chunks, order: KeyOrder, walk: KeyWalk): Promise<void> {
  const left = new FrameReader(source, order)
  const right = new FrameReader(target, order)
  await left.load()
  await right.load()
  while (left.frame !== null || right.frame !== null) {
    const compared = left.frame === null ? 1 : right.frame === null ? -1 : order.compare(left.frame, 0, right.frame, 0)
    if (compared < 0) walk.lone('missing', left.frame!)
    else if (compared > 0) walk.lone('extra', right.frame!)
    else if (walk.differing === true && left.frame!.equals(right.frame!)) left.skipEqual(right)
    else walk.both(left.frame!, right.frame!)
    // Awaiting only where bytes are missing: a promise a row costs more than the row.
    if (compared <= 0 && !left.step()) await left.load()
    if (compared >= 0 && !right.step()) await right.load()
  }
}

/** Rows of one segment merged by key. Calls `emit` for each key that differs, in key order. */
export async function mergeRows(source: Chunks, target: Chunks, order: KeyOrder, make: Differ, segment: number, emit: Emit): Promise<void> {
  await walkByKey(source, target, order, {
    lone: (kind, frame) => emit(make.lone(kind, frame, segment, kind === 'missing' ? 1n : 0n, kind === 'extra' ? 1n : 0n)),
    both: (before, after) => emit(make.changed(before, after, segment)),
    differing: true,
  })
}
