import pg from 'pg'
import { openSession } from '../layers/connectors/postgres/session.ts'

export async function runSql(url: string, text: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(text)
  } finally {
    await client.end()
  }
}

/** Bytes from the socket thrown away unread: nothing that reads every row can be faster. */
export async function rawCopy(url: string, table: string): Promise<void> {
  const session = await openSession(url, { readOnly: true, connectTimeoutMs: 5000, statementTimeoutMs: 0 })
  const { stream } = (session.client as unknown as { connection: { stream: NodeJS.ReadWriteStream } }).connection
  await new Promise<void>((resolve, reject) => {
    stream.removeAllListeners('data')
    let bytes = 0
    stream.on('data', (chunk: Buffer) => {
      bytes += chunk.byteLength
      // ReadyForQuery, the last message of an answer.
      const last = chunk.byteLength - 6
      if (last >= 0 && chunk[last] === 0x5a && chunk.readInt32BE(last + 1) === 5) {
        if (bytes > 10_000) resolve()
        else reject(new Error(`COPY of ${table} gave ${bytes} bytes`))
      }
    })
    stream.on('error', reject)
    const text = `COPY public.${table} TO STDOUT (FORMAT binary)`
    const query = Buffer.alloc(6 + text.length)
    query.write('Q', 0)
    query.writeInt32BE(5 + text.length, 1)
    query.write(text, 5)
    stream.write(query)
  })
  session.destroy()
}
