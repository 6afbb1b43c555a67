import { closeSync, openSync, rmSync, writeSync } from 'node:fs'
import { WaybillError } from '../../layers/core/errors.ts'
import { fullDisk } from '../../layers/core/full-disk.ts'

const BUFFERED_BYTES = 256 * 1024

/**
 * A file that grows by lines, readable by its owner alone. Written as it comes, without waiting, so that memory stays flat however many
 * lines there are; a full disk stops whoever writes. @throws BAD_INPUT when it cannot be opened, DISK_FULL or BAD_INPUT when it cannot be finished
 */
export class LineFile {
  readonly path: string
  lines = 0n
  /** Bytes of the longest line. */
  longest = 0
  #file: number
  #waiting: string[] = []
  #size = 0

  constructor(path: string, option: string) {
    this.path = path
    try {
      this.#file = openSync(path, 'w', 0o600)
    } catch (error) {
      throw new WaybillError('BAD_INPUT', `${option}: ${path} cannot be written (${(error as NodeJS.ErrnoException).code}).`)
    }
  }

  add(line: string): void {
    const size = Buffer.byteLength(line, 'utf8')
    this.#waiting.push(line, '\n')
    this.#size += size + 1
    this.lines++
    if (size > this.longest) this.longest = size
    if (this.#size >= BUFFERED_BYTES) this.flush()
  }

  flush(): void {
    const bytes = Buffer.from(this.#waiting.join(''), 'utf8')
    this.#waiting = []
    this.#size = 0
    for (let at = 0; at < bytes.byteLength; ) at += writeSync(this.#file, bytes, at)
  }

  /** Safe to call twice. */
  close(): void {
    if (this.#file === -1) return
    const file = this.#file
    try {
      this.flush()
    } catch (error) {
      const full = fullDisk(error, this.path)
      if (full !== error) throw full
      throw new WaybillError('BAD_INPUT', `${this.path} could not be written to its end (${(error as NodeJS.ErrnoException).code}).`)
    } finally {
      this.#file = -1
      closeSync(file)
    }
  }

  remove(): void {
    try {
      this.close()
    } finally {
      rmSync(this.path, { force: true })
    }
  }
}
