import { connect, createServer, type Socket } from 'node:net'

/**
 * A TCP proxy in front of a PostgreSQL that sees the server's messages and may spoil them. `spoil` gets each message (tag and bytes, length
 * included) and returns what to send instead; `null` cuts the connection there.
 */
export type Spoil = (tag: string, message: Buffer) => Buffer | null

export async function proxyTo(url: string, spoil: () => Spoil): Promise<{ url: string; close(): Promise<void> }> {
  const upstream = new URL(url)
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const database = connect(Number(upstream.port), upstream.hostname)
    for (const socket of [client, database]) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        client.destroy()
        database.destroy()
      })
    }
    client.pipe(database)
    const change = spoil()
    let rest: Buffer = Buffer.alloc(0)
    database.on('data', (data: Buffer) => {
      const bytes = rest.byteLength === 0 ? data : Buffer.concat([rest, data])
      const sent: Buffer[] = []
      let at = 0
      while (at + 5 <= bytes.byteLength) {
        const end = at + 1 + bytes.readInt32BE(at + 1)
        if (end > bytes.byteLength) break
        const message = bytes.subarray(at, end)
        at = end
        const spoiled = change(String.fromCharCode(message[0]!), message)
        if (spoiled === null) {
          client.end(Buffer.concat(sent))
          return database.destroy()
        }
        sent.push(spoiled)
      }
      rest = bytes.subarray(at)
      client.write(Buffer.concat(sent))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address() as { port: number }
  const through = new URL(url)
  through.port = String(address.port)
  return {
    url: through.href,
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
