import { createRequire } from 'node:module'
import type * as Bindings from '@duckdb/node-bindings'

let loaded: typeof Bindings | undefined

/** Loaded at first use: where no file is ever read there is no DuckDB. */
function bindings(): typeof Bindings {
  loaded ??= createRequire(import.meta.url)('@duckdb/node-bindings') as typeof Bindings
  return loaded
}

/** Texts and blobs up to this many bytes lie in the vector itself, longer ones where a pointer says. */
const INLINE = 12
const STRING_BYTES = 16
/**
 * Texts that lie no further apart than this are fetched together. Whatever lies between two of them then lies on a page of memory with one
 * of them, so it can be read; far fewer bytes than a page has.
 */
const NEAR = 16
/** Few bytes are copied faster here than by a call. */
const SHORT_COPY = 64

/** One column of a chunk as DuckDB holds it. Valid as long as the chunk is. */
export type VectorMemory = {
  rows: number
  data: DataView
  /** One bit a row, from the lowest, set where there is a value; null where every row has one. */
  valid: Uint8Array | null
}

/** The memory of all columns of a chunk; `widths` are the bytes of one value. */
export function chunkMemory(chunk: Bindings.DataChunk, rows: number, widths: readonly number[]): VectorMemory[] {
  const duckdb = bindings()
  return widths.map((width, index) => {
    const vector = duckdb.data_chunk_get_vector(chunk, index)
    const data = duckdb.vector_get_data(vector, rows * width)
    const valid = duckdb.vector_get_validity(vector, Math.ceil(rows / 64) * 8) as Uint8Array | null
    return { rows, data: viewOf(data), valid: someNull(valid, rows) ? valid : null }
  })
}

export function isNull(valid: Uint8Array | null, row: number): boolean {
  return valid !== null && (valid[row >> 3]! & (1 << (row & 7))) === 0
}

function someNull(valid: Uint8Array | null, rows: number): boolean {
  for (let row = 0; row < rows; row++) if (isNull(valid, row)) return true
  return false
}

/** Bytes of a text or blob. */
export function textLength(memory: VectorMemory, row: number): number {
  return memory.data.getUint32(row * STRING_BYTES, true)
}

export function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength)
}

/** `length` bytes from one place to another, four at a time. */
export function copyBytes(bytes: DataView, from: number, length: number, out: DataView, at: number): void {
  if (length > SHORT_COPY) {
    bytesOf(out, at, length).set(bytesOf(bytes, from, length))
    return
  }
  const words = length & ~3
  for (let i = 0; i < words; i += 4) out.setInt32(at + i, bytes.getInt32(from + i))
  for (let i = words; i < length; i++) out.setUint8(at + i, bytes.getUint8(from + i))
}

function bytesOf({ buffer, byteOffset }: DataView, from: number, length: number): Uint8Array {
  return new Uint8Array(buffer, byteOffset + from, length)
}

/** Copies texts and blobs of one vector, rows in ascending order, a run of neighbours in memory at a time. */
export class TextReader {
  readonly #memory: VectorMemory
  /** The run that was fetched last, and where it begins. */
  #run: DataView = new DataView(new ArrayBuffer(0))
  #start = 0

  constructor(memory: VectorMemory) {
    this.#memory = memory
  }

  copy(row: number, length: number, out: DataView, at: number): void {
    const { data } = this.#memory
    if (length <= INLINE) {
      copyBytes(data, row * STRING_BYTES + 4, length, out, at)
      return
    }
    const address = addressOf(data, row)
    let from = address - this.#start
    if (from < 0 || from + length > this.#run.byteLength) {
      this.#fetch(row, address)
      from = 0
    }
    copyBytes(this.#run, from, length, out, at)
  }

  #fetch(row: number, address: number): void {
    const { data, rows, valid } = this.#memory
    let end = address + textLength(this.#memory, row)
    for (let next = row + 1; next < rows; next++) {
      const length = textLength(this.#memory, next)
      if (length <= INLINE || isNull(valid, next)) continue
      const begin = addressOf(data, next)
      if (begin < end || begin - end > NEAR) break
      end = begin + length
    }
    this.#start = address
    const pointer = data.byteOffset + row * STRING_BYTES + 8
    this.#run = viewOf(bindings().get_data_from_pointer(data.buffer as ArrayBuffer, pointer, end - address))
  }
}

/** Addresses have fewer than 53 bits. */
function addressOf(data: DataView, row: number): number {
  const at = row * STRING_BYTES + 8
  return data.getUint32(at + 4, true) * 2 ** 32 + data.getUint32(at, true)
}
