import type { Duplex } from 'node:stream'
import type pg from 'pg'

const COPY_DONE = Buffer.from([0x63, 0, 0, 0, 4])

type RawConnection = { query(text: string): void; stream: Duplex }

/**
 * `COPY … FROM STDIN` on a client of its own: `ready` gives the socket to write CopyData frames to, `done` the row count of the
 * command tag. Bytes are written as they are: nothing becomes a row in JavaScript. Failing means destroying the client, because a frame
 * cut in the middle cannot be taken back; the server then rolls its transaction back.
 */
export class CopyIn {
  readonly ready: Promise<Duplex>
  readonly done: Promise<bigint>
  private readonly text: string
  private socket: Duplex | null = null
  private rows: bigint | null = null
  private readonly readyGate = Promise.withResolvers<Duplex>()
  private readonly doneGate = Promise.withResolvers<bigint>()

  constructor(text: string) {
    this.text = text
    this.ready = this.readyGate.promise
    this.done = this.doneGate.promise
    // Both are awaited later than they may reject; without these a dropped connection would end the process.
    this.ready.catch(() => {})
    this.done.catch(() => {})
  }

  /** Ends the stream of rows; `done` resolves when the server has them all. */
  finish(): void {
    this.socket?.write(COPY_DONE)
  }

  submit(connection: RawConnection): void {
    this.socket = connection.stream
    connection.query(this.text)
  }

  handleCopyInResponse(): void {
    if (this.socket) this.readyGate.resolve(this.socket)
  }

  handleCommandComplete(message: { text?: string }): void {
    this.rows = copiedRows(message.text)
  }

  handleReadyForQuery(): void {
    if (this.rows === null) this.handleError(new Error('COPY ended without a command tag'))
    else this.doneGate.resolve(this.rows)
  }

  handleError(error: Error): void {
    this.readyGate.reject(error)
    this.doneGate.reject(error)
  }

  /** Nothing to time out here: `pg` looks for this member. */
  callback(): void {}
}

/** The n of a command tag `COPY n`, or null for any other tag. */
export function copiedRows(tag: string | undefined): bigint | null {
  const match = /^COPY (\d+)$/.exec(tag ?? '')
  return match?.[1] === undefined ? null : BigInt(match[1])
}

/** Submits to a client; `pg` accepts any object with `submit`. */
export function submit<T>(client: pg.Client, submittable: T & { submit(connection: RawConnection): void }): T {
  client.query(submittable as unknown as pg.Submittable)
  return submittable
}

/** One CopyData frame around a payload. */
export function copyDataHeader(length: number): Buffer {
  const header = Buffer.allocUnsafe(5)
  header[0] = 0x64
  header.writeUInt32BE(length + 4, 1)
  return header
}
