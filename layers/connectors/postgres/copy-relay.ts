import type { Duplex } from 'node:stream'
import type pg from 'pg'
import { CopyIn, copiedRows, submit } from './copy-in.ts'

const COPY_DATA = 0x64
const COPY_DONE = 0x63
const ERROR_RESPONSE = 0x45

type RawConnection = { query(text: string): void; stream: Duplex }
type Listener = (chunk: Buffer) => void

/**
 * `COPY … TO STDOUT` whose CopyData frames are handed on as they arrive. A frame of one server is a valid frame to the other, so a chunk of
 * the source's socket is written to the target's socket unchanged; only the frame headers are looked at, to find where the data ends.
 */
class CopyOut {
  readonly done: Promise<bigint>
  /** Whole numbers far below 2^53: one chunk's frames and payload bytes. */
  frames = 0
  bytes = 0
  private readonly text: string
  private readonly sink: Duplex
  private readonly doneGate = Promise.withResolvers<bigint>()
  private socket: Duplex | null = null
  private original: Listener | null = null
  private readonly mine: Listener
  private readonly onDrain: () => void
  private header = Buffer.alloc(0)
  private left = 0
  private forwarding = false
  private rows: bigint | null = null

  constructor(text: string, sink: Duplex, onData: (frames: number) => void) {
    this.text = text
    this.sink = sink
    this.done = this.doneGate.promise
    this.done.catch(() => {})
    this.mine = (chunk) => {
      this.take(chunk)
      onData(this.frames)
    }
    this.onDrain = () => this.socket?.resume()
  }

  submit(connection: RawConnection): void {
    this.socket = connection.stream
    const listeners = this.socket.listeners('data') as Listener[]
    const [original] = listeners
    if (original === undefined || listeners.length !== 1) {
      this.handleError(new Error('the connection is read by somebody else'))
      return
    }
    this.original = original
    this.socket.off('data', original)
    this.socket.on('data', this.mine)
    this.sink.on('drain', this.onDrain)
    connection.query(this.text)
  }

  private take(arrived: Buffer): void {
    const carried = this.header.length
    const chunk = carried > 0 ? Buffer.concat([this.header, arrived]) : arrived
    this.header = Buffer.alloc(0)
    let at = 0
    let from = this.forwarding ? 0 : -1
    while (at < chunk.length) {
      if (this.left > 0) {
        const step = Math.min(this.left, chunk.length - at)
        this.left -= step
        at += step
        if (this.forwarding) this.bytes += step
        continue
      }
      const type = chunk[at]
      if (type === COPY_DONE || type === ERROR_RESPONSE) {
        if (from >= 0) this.pass(chunk.subarray(from, at))
        this.release(chunk.subarray(at))
        return
      }
      if (chunk.length - at < 5) break
      if (type === COPY_DATA) {
        if (from < 0) from = at
        this.forwarding = true
        this.frames++
      } else {
        // CopyOutResponse, and notices that may come in between, are not data.
        if (from >= 0) this.pass(chunk.subarray(from, at))
        from = -1
        this.forwarding = false
      }
      this.left = chunk.readUInt32BE(at + 1) - 4
      at += 5
    }
    if (from >= 0) this.pass(chunk.subarray(from, at))
    if (at < chunk.length) this.header = Buffer.from(chunk.subarray(at))
    if (this.left === 0) this.forwarding = false
  }

  private pass(bytes: Buffer): void {
    if (bytes.length > 0 && !this.sink.write(bytes)) this.socket?.pause()
  }

  /** Gives the socket back to `pg`, beginning with the message that ended the data. */
  private release(rest: Buffer): void {
    this.detach()
    this.original?.(rest)
    this.socket?.resume()
  }

  private detach(): void {
    this.sink.off('drain', this.onDrain)
    if (this.socket && this.original) {
      this.socket.off('data', this.mine)
      this.socket.on('data', this.original)
    }
  }

  handleCommandComplete(message: { text?: string }): void {
    this.rows = copiedRows(message.text)
  }

  handleReadyForQuery(): void {
    if (this.rows === null) this.handleError(new Error('COPY ended without a command tag'))
    else this.doneGate.resolve(this.rows)
  }

  handleError(error: Error): void {
    this.sink.off('drain', this.onDrain)
    this.doneGate.reject(error)
  }

  callback(): void {}
}

export type Relayed = { sourceRows: bigint; targetRows: bigint; bytes: bigint }

/**
 * Pipes `COPY (…) TO STDOUT (FORMAT binary)` of one server into `COPY … FROM STDIN (FORMAT binary)` of another. The target's `COPY` is ended
 * only after the source said how many rows it sent. When either side fails the target's `COPY` stays unfinished: the caller destroys that
 * connection and its transaction is gone.
 * @throws what `failed` makes of the side and its error
 */
export async function relayCopy(
  source: { client: pg.Client; sql: string },
  target: { client: pg.Client; sql: string },
  onFrames: (frames: number) => void,
  failed: (side: 'source' | 'target', error: unknown) => Error,
): Promise<Relayed> {
  const refuse = (side: 'source' | 'target') => (error: unknown) => {
    throw failed(side, error)
  }
  const copyIn = submit(target.client, new CopyIn(target.sql))
  const sink = await copyIn.ready.catch(refuse('target'))
  const copyOut = submit(source.client, new CopyOut(source.sql, sink, onFrames))
  const endedEarly = copyIn.done.then(() => refuse('target')(new Error('the target ended COPY before the source did')), refuse('target'))
  endedEarly.catch(() => {})
  const sourceRows = await Promise.race([copyOut.done.catch(refuse('source')), endedEarly])
  copyIn.finish()
  const targetRows = await copyIn.done.catch(refuse('target'))
  return { sourceRows, targetRows, bytes: BigInt(copyOut.bytes) }
}
