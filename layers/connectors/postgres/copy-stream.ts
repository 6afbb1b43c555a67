import type { Socket } from 'node:net'
import type pg from 'pg'
import { FRAME_TAG } from '../../core/encoding/row-frame.ts'
import type { RowStream } from '../../core/encoding/row-stream.ts'
import { WaybillError } from '../../core/errors.ts'
import { failureOf } from './failure.ts'
import { paced } from './pace.ts'
import type { Session } from './session.ts'

/** The socket is told to wait when this many bytes lie unread, and to go on at half of it: what keeps memory flat. */
const HIGH_WATER = 2 * 1024 * 1024

const SIGNATURE = Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1')
/** Signature, flags, length of the header extension. */
const HEADER_BYTES = 19

type Connection = { stream: Socket; query(text: string): void }
type Listener = (chunk: Buffer) => void

/**
 * `COPY (query) TO STDOUT (FORMAT binary)` as row frames. CopyData messages are taken from the socket as they arrive, without a copy
 * (the server sends one per row, which is exactly our row frame); everything else goes to the driver.
 * The iteration throws what the server said, or STREAM_TRUNCATED when the stream did not end as a complete COPY does.
 * One at a time per session; leaving the iteration early breaks the session.
 */
export function copyOut(session: Session, query: string, doing: string): RowStream {
  const reader = new CopyReader()
  let answered = false
  const submittable = {
    submit(connection: Connection) {
      reader.attach(connection.stream)
      connection.query(`COPY (${query}) TO STDOUT (FORMAT binary)`)
    },
    handleError(error: unknown) {
      answered = true
      reader.end(failureOf(error, doing))
    },
    handleCommandComplete(message: { text: string }) {
      reader.completed(message.text)
    },
    handleReadyForQuery() {
      answered = true
      reader.end(null)
    },
    handleRowDescription() {},
    handleDataRow() {},
    handlePortalSuspended() {},
    handleEmptyQuery() {},
    handleCopyInResponse() {},
    handleCopyData() {},
  }
  async function* chunks(): AsyncGenerator<Uint8Array> {
    ;(session.client.query as (submittable: unknown) => unknown)(submittable as unknown as pg.Submittable)
    try {
      const chunks = reader.chunks(doing)
      yield* session.pace === undefined ? chunks : paced(chunks, session.pace)
    } finally {
      reader.detach()
      // Whatever is still on its way belongs to a COPY nobody reads: this connection cannot be used for anything else.
      if (!answered) session.client.end().catch(() => {})
    }
  }
  return { chunks: chunks(), rows: () => reader.rows() }
}

class CopyReader {
  #socket: Socket | undefined
  #driver: Listener[] = []
  readonly #onData: Listener
  readonly #onGone: () => void
  /** Bytes of a message that has not arrived whole. */
  #partial: Buffer[] = []
  #partialBytes = 0
  #needed = 0
  #queue: Buffer[] = []
  #queued = 0
  #paused = false
  #wake: (() => void) | undefined
  #sawHeader = false
  #sawTrailer = false
  #frames = 0n
  #reported: bigint | undefined
  #ended = false
  #failure: WaybillError | undefined

  constructor() {
    this.#onData = (chunk) => this.#take(chunk)
    this.#onGone = () =>
      this.end(new WaybillError('CONNECTION_FAILED', 'The connection was lost while rows were read. Run the comparison again.'))
  }

  attach(socket: Socket): void {
    this.#socket = socket
    this.#driver = socket.listeners('data') as Listener[]
    socket.removeAllListeners('data')
    socket.on('data', this.#onData)
    socket.on('close', this.#onGone)
  }

  detach(): void {
    const socket = this.#socket
    if (socket === undefined) return
    this.#socket = undefined
    socket.off('data', this.#onData)
    socket.off('close', this.#onGone)
    for (const listener of this.#driver) socket.on('data', listener)
    if (this.#partialBytes > 0) for (const listener of this.#driver) listener.call(socket, Buffer.concat(this.#partial))
    this.#partialBytes = 0
    if (this.#paused) socket.resume()
  }

  completed(tag: string): void {
    const match = /^COPY (\d+)$/.exec(tag)
    if (match !== null) this.#reported = BigInt(match[1]!)
  }

  end(failure: WaybillError | null): void {
    if (this.#ended) return
    this.#ended = true
    if (failure !== null) this.#failure = failure
    this.#wake?.()
  }

  rows(): bigint {
    return this.#frames
  }

  async *chunks(doing: string): AsyncGenerator<Buffer> {
    for (;;) {
      while (this.#queue.length > 0) {
        const chunk = this.#queue.shift()!
        this.#queued -= chunk.byteLength
        if (this.#paused && this.#queued < HIGH_WATER / 2) {
          this.#paused = false
          this.#socket?.resume()
        }
        yield chunk
      }
      if (this.#ended) break
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
      this.#wake = undefined
    }
    if (this.#failure !== undefined) throw this.#failure
    if (!this.#sawHeader || !this.#sawTrailer || this.#reported !== this.#frames) {
      throw new WaybillError(
        'STREAM_TRUNCATED',
        `The stream ended early while ${doing}. Nothing is concluded from it; run the comparison again.`,
      )
    }
  }

  #push(chunk: Buffer): void {
    this.#queue.push(chunk)
    this.#queued += chunk.byteLength
    if (!this.#paused && this.#queued > HIGH_WATER) {
      this.#paused = true
      this.#socket?.pause()
    }
    this.#wake?.()
  }

  #take(chunk: Buffer): void {
    let at = 0
    if (this.#partialBytes > 0) {
      at = this.#fill(chunk)
      if (at < 0) return
    }
    // `from`…`at` are whole row frames, handed on as one view into the chunk.
    let from = at
    const end = chunk.byteLength
    while (at + 5 <= end) {
      const next = at + 1 + chunk.readInt32BE(at + 1)
      if (next > end) break
      if (chunk[at] === FRAME_TAG && this.#sawHeader && next - at > 7) {
        this.#frames++
      } else {
        if (at > from) this.#push(chunk.subarray(from, at))
        this.#other(chunk.subarray(at, next))
        from = next
      }
      at = next
    }
    if (at > from) this.#push(chunk.subarray(from, at))
    if (at < end) this.#keep(chunk, at)
  }

  #keep(chunk: Buffer, at: number): void {
    this.#partial = [chunk.subarray(at)]
    this.#partialBytes = chunk.byteLength - at
    this.#needed = this.#partialBytes >= 5 ? 1 + chunk.readInt32BE(at + 1) : 0
  }

  /** Completes the message that began in an earlier chunk. Where the next message begins in this chunk, or −1 when it is still not whole. */
  #fill(chunk: Buffer): number {
    if (this.#needed === 0) {
      const head = Buffer.concat([...this.#partial, chunk.subarray(0, 5 - this.#partialBytes)])
      if (head.byteLength < 5) {
        this.#partial = [head]
        this.#partialBytes = head.byteLength
        return -1
      }
      this.#needed = 1 + head.readInt32BE(1)
    }
    const missing = this.#needed - this.#partialBytes
    if (missing > chunk.byteLength) {
      this.#partial.push(chunk)
      this.#partialBytes += chunk.byteLength
      return -1
    }
    const message = Buffer.allocUnsafe(this.#needed)
    let at = 0
    for (const part of this.#partial) at += part.copy(message, at)
    chunk.copy(message, at, 0, missing)
    this.#partial = []
    this.#partialBytes = 0
    if (message[0] === FRAME_TAG && this.#sawHeader && message.byteLength > 7) {
      this.#frames++
      this.#push(message)
    } else {
      this.#other(message)
    }
    return missing
  }

  /** The first CopyData (file header, perhaps with a row behind it), the last (a field count of −1), and what the driver understands. */
  #other(message: Buffer): void {
    if (message[0] !== FRAME_TAG) {
      for (const listener of this.#driver) listener.call(this.#socket, message)
      return
    }
    if (!this.#sawHeader) {
      if (message.byteLength < 5 + HEADER_BYTES || !message.subarray(5, 5 + SIGNATURE.byteLength).equals(SIGNATURE)) {
        this.end(new WaybillError('STREAM_TRUNCATED', 'The server did not answer with a binary COPY. Run the comparison again.'))
        return
      }
      this.#sawHeader = true
      const row = message.subarray(5 + HEADER_BYTES)
      if (row.byteLength === 0) return
      const frame = Buffer.allocUnsafe(5 + row.byteLength)
      frame[0] = FRAME_TAG
      frame.writeInt32BE(4 + row.byteLength, 1)
      row.copy(frame, 5)
      if (row.byteLength === 2) {
        this.#other(frame)
      } else {
        this.#frames++
        this.#push(frame)
      }
      return
    }
    if (message.byteLength === 7 && message.readInt16BE(5) === -1) this.#sawTrailer = true
    else this.end(new WaybillError('STREAM_TRUNCATED', 'A row without columns arrived. Run the comparison again.'))
  }
}
