import { WaybillError } from '../../core/errors.ts'
import type { Emit } from './comparison.ts'
import type { KeyOrder } from './key-order.ts'
import type { Differ } from './row-difference.ts'

type Chunks = AsyncIterable<Uint8Array> | Iterable<Uint8Array>

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

  async next(): Promise<void> {
    while (this.#at === this.#chunk.byteLength) {
      const result = await this.#iterator.next()
      if (result.done === true) {
        this.frame = null
        return
      }
      this.#chunk = Buffer.from(result.value.buffer, result.value.byteOffset, result.value.byteLength)
      this.#at = 0
    }
    const end = this.#at + 1 + this.#chunk.readInt32BE(this.#at + 1)
    const frame = this.#chunk.subarray(this.#at, end)
    if (this.frame !== null && this.#order.compare(this.frame, 0, frame, 0) >= 0) {
      throw new WaybillError(
        'SEGMENT_INCOMPLETE',
        'Rows did not arrive in the order of a unique key: an index of this table may be damaged. Check it (amcheck, REINDEX), then run again.',
      )
    }
    this.#at = end
    this.frame = frame
  }
}

/** Rows of one segment merged by key. Calls `emit` for each key that differs, in key order; memory is one row a side. */
export async function mergeRows(source: Chunks, target: Chunks, order: KeyOrder, make: Differ, segment: number, emit: Emit): Promise<void> {
  const left = new FrameReader(source, order)
  const right = new FrameReader(target, order)
  await left.next()
  await right.next()
  while (left.frame !== null || right.frame !== null) {
    const compared = left.frame === null ? 1 : right.frame === null ? -1 : order.compare(left.frame, 0, right.frame, 0)
    if (compared < 0) {
      emit(make.lone('missing', left.frame!, segment, 1n, 0n))
      await left.next()
    } else if (compared > 0) {
      emit(make.lone('extra', right.frame!, segment, 0n, 1n))
      await right.next()
    } else {
      if (!left.frame!.equals(right.frame!)) emit(make.changed(left.frame!, right.frame!, segment))
      await left.next()
      await right.next()
    }
  }
}
