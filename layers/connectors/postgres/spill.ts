import { closeSync, mkdtempSync, openSync, readSync, rmdirSync, unlinkSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * Byte strings in numbered partitions, in memory until a partition holds `slotBytes`, then in a temporary file. The file loses its name
 * as soon as it is open, so that nothing stays behind however the process ends. Order within a partition is the order of appending.
 */
export class Spill {
  readonly #slotBytes: number
  readonly #slots: (Buffer | undefined)[]
  readonly #used: Int32Array
  readonly #extents: { at: number; bytes: number }[][]
  #file: number | undefined
  #space = Buffer.alloc(0)
  #end = 0

  constructor(partitions: number, slotBytes: number) {
    this.#slotBytes = slotBytes
    this.#slots = new Array(partitions)
    this.#used = new Int32Array(partitions)
    this.#extents = Array.from({ length: partitions }, () => [])
  }

  get partitions(): number {
    return this.#used.length
  }

  append(partition: number, bytes: Buffer, from: number, to: number): void {
    const size = to - from
    let used = this.#used[partition]!
    let slot = this.#slots[partition]
    if (slot === undefined || used + size > slot.byteLength) {
      slot = this.#room(partition, slot, size)
      used = this.#used[partition]!
      if (slot === undefined) {
        this.#write(partition, bytes.subarray(from, to))
        return
      }
    }
    bytes.copy(slot, used, from, to)
    this.#used[partition] = used + size
  }

  /** A slot with room for `size`, larger or emptied; undefined when no slot is large enough. */
  #room(partition: number, slot: Buffer | undefined, size: number): Buffer | undefined {
    const used = this.#used[partition]!
    if (used + size <= this.#slotBytes) {
      const larger = Buffer.allocUnsafeSlow(Math.min(this.#slotBytes, Math.max(1024, 2 * (used + size))))
      slot?.copy(larger, 0, 0, used)
      this.#slots[partition] = larger
      return larger
    }
    if (slot !== undefined && used > 0) {
      this.#write(partition, slot.subarray(0, used))
      this.#used[partition] = 0
    }
    if (size > this.#slotBytes) return undefined
    if (slot !== undefined && slot.byteLength >= size) return slot
    this.#slots[partition] = Buffer.allocUnsafeSlow(this.#slotBytes)
    return this.#slots[partition]
  }

  #write(partition: number, bytes: Buffer): void {
    this.#file ??= openNameless()
    for (let done = 0; done < bytes.byteLength; ) done += writeSync(this.#file, bytes, done, bytes.byteLength - done, this.#end + done)
    this.#extents[partition]!.push({ at: this.#end, bytes: bytes.byteLength })
    this.#end += bytes.byteLength
  }

  /** Everything appended to a partition. Its memory is given back: a partition is read once. */
  take(partition: number): Buffer {
    const extents = this.#extents[partition]!
    const used = this.#used[partition]!
    const all = Buffer.allocUnsafeSlow(this.bytes(partition))
    let at = 0
    for (const extent of extents) {
      this.#fill(all, at, extent)
      at += extent.bytes
    }
    this.#slots[partition]?.copy(all, at, 0, used)
    this.free(partition)
    return all
  }

  /** Forgets a partition. */
  free(partition: number): void {
    this.#slots[partition] = undefined
    this.#used[partition] = 0
    this.#extents[partition] = []
  }

  /** Bytes appended to a partition. */
  bytes(partition: number): number {
    return this.#extents[partition]!.reduce((sum, extent) => sum + extent.bytes, this.#used[partition]!)
  }

  /** What was appended to a partition, some whole appended pieces at a time. Each is valid until the next; nothing is given back. */
  *read(partition: number): Generator<Buffer> {
    for (const extent of this.#extents[partition]!) {
      if (this.#space.byteLength < extent.bytes) this.#space = Buffer.allocUnsafeSlow(extent.bytes)
      this.#fill(this.#space, 0, extent)
      yield this.#space.subarray(0, extent.bytes)
    }
    const slot = this.#slots[partition]
    if (slot !== undefined) yield slot.subarray(0, this.#used[partition])
  }

  #fill(into: Buffer, at: number, extent: { at: number; bytes: number }): void {
    for (let done = 0; done < extent.bytes; ) {
      const read = readSync(this.#file!, into, at + done, extent.bytes - done, extent.at + done)
      if (read === 0) throw new Error('the temporary file is shorter than what was written to it')
      done += read
    }
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file)
    this.#file = undefined
    this.#slots.fill(undefined)
  }
}

function openNameless(): number {
  const folder = mkdtempSync(join(tmpdir(), 'waybill-spill-'))
  const path = join(folder, 'digests')
  const file = openSync(path, 'wx+', 0o600)
  unlinkSync(path)
  rmdirSync(folder)
  return file
}
