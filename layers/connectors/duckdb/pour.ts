import { CopyIn, copyDataHeader, submit } from '../postgres/copy-in.ts'
import { failureOf } from '../postgres/failure.ts'
import type { Session } from '../postgres/session.ts'
import type { Lines } from './lines.ts'

/** Rows sent, rows the server says it kept, bytes of COPY text. */
export type Poured = { sent: bigint; kept: bigint; bytes: bigint }

/**
 * Sends lines into `COPY … FROM STDIN` on a session whose transaction is open. When anything fails, the connection is cut, because a COPY half
 * sent can only end with its transaction.
 * @throws what reading throws, and the codes of `failureOf`
 */
export async function pour(target: Session, copySql: string, lines: AsyncIterable<Lines>, onRows: (sent: bigint) => void): Promise<Poured> {
  const copyIn = submit(target.client, new CopyIn(copySql))
  const refuse = (error: unknown): never => {
    throw failureOf(error, 'writing to the target')
  }
  const socket = await copyIn.ready.catch(refuse)
  const ended = copyIn.done.then(() => refuse(new Error('the target ended COPY early')), refuse)
  ended.catch(() => {})
  let sent = 0n
  let bytes = 0n
  try {
    for await (const piece of lines) {
      socket.write(copyDataHeader(piece.bytes.byteLength))
      const roomy = socket.write(piece.bytes)
      sent += piece.rows
      bytes += BigInt(piece.bytes.byteLength)
      onRows(sent)
      if (!roomy) await Promise.race([drained(socket), ended])
    }
    copyIn.finish()
    return { sent, kept: await copyIn.done.catch(refuse), bytes }
  } catch (error) {
    socket.destroy()
    throw error
  }
}

function drained(socket: NodeJS.EventEmitter): Promise<void> {
  return new Promise((resolve) => socket.once('drain', resolve))
}
