import { connect, createServer, type Socket } from 'node:net'

/** A TCP server in front of a PostgreSQL; `wire` joins each client to a connection of its own. Closing it cuts everything. */
export async function relayTo(
  url: string,
  wire: (client: Socket, database: Socket) => void,
): Promise<{ url: string; close(): Promise<void> }> {
  const upstream = new URL(url)
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const database = connect(Number(upstream.port), upstream.hostname)
    for (const socket of [client, database]) {
      sockets.add(socket)
      socket.setNoDelay(true)
      socket.on('error', () => {})
      socket.on('close', () => {
        client.destroy()
        database.destroy()
      })
    }
    wire(client, database)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const through = new URL(url)
  through.port = String((server.address() as { port: number }).port)
  return {
    url: through.href,
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/**
 * A TCP proxy in front of a PostgreSQL that sees the server's messages and may spoil them. `spoil` gets each message (tag and bytes, length
 * included) and returns what to send instead; `null` cuts the connection there.
 */
export type Spoil = (tag: string, message: Buffer) => Buffer | null

export function proxyTo(url: string, spoil: () => Spoil): ReturnType<typeof relayTo> {
  return relayTo(url, (client, database) => {
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
}

/** What a fault may do to the connection whose statement was seen. */
export type Held = {
  /** The server's process behind this connection. */
  backend: number
  /** TCP reset. */
  reset(): void
  /** Nothing passes any more, in either direction, and nobody says so. */
  stall(): void
}

/**
 * A TCP proxy that sees each statement before the server does. `before` is called with the statement's text and the statement waits until it
 * has ended; what it throws is lost.
 */
export function statementProxy(url: string, before: (sql: string, held: Held) => Promise<void> | void): ReturnType<typeof relayTo> {
  return relayTo(url, (client, database) => {
    let stalled = false
    const held: Held = {
      backend: 0,
      reset: () => client.resetAndDestroy(),
      stall: () => {
        stalled = true
      },
    }
    database.on('data', (data: Buffer) => {
      // BackendKeyData: `K`, length 12, process, secret.
      const at = held.backend === 0 ? data.indexOf(Buffer.from([0x4b, 0, 0, 0, 12])) : -1
      if (at !== -1) held.backend = data.readInt32BE(at + 5)
      if (!stalled) client.write(data)
    })
    let rest: Buffer = Buffer.alloc(0)
    let started = false
    let turn = Promise.resolve()
    const forward = async (message: Buffer, sql: string | null) => {
      if (sql !== null) await before(sql, held)
      if (!stalled && !database.destroyed) database.write(message)
    }
    client.on('data', (data: Buffer) => {
      rest = Buffer.concat([rest, data])
      for (;;) {
        const head = started ? 1 : 0
        if (rest.byteLength < head + 4) return
        const end = head + rest.readInt32BE(head)
        if (rest.byteLength < end) return
        const message = rest.subarray(0, end)
        rest = rest.subarray(end)
        const tag = started ? String.fromCharCode(message[0]!) : ''
        // A request for TLS is no start: 80877103.
        if (!started) started = message.readInt32BE(4) !== 80877103
        const text = message.subarray(5).toString('utf8')
        const sql = tag === 'Q' ? text.slice(0, -1) : tag === 'P' ? (text.split('\u0000')[1] ?? '') : null
        turn = turn.then(() => forward(message, sql)).catch(() => {})
      }
    })
  })
}
