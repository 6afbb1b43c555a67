import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import pg from 'pg'

export type Pooler = { url: string; close(): Promise<void> }

const SERVERS = 3
const TERMINATE = 0x58
const READY = 0x5a
const IDLE = 0x49
const SSL_REQUEST = 80_877_103

/** A real pooler's rules in short: each transaction, or each statement, of a client runs on the next of three connections to the server. */
export async function openPooler(url: string, moves: 'transactions' | 'statements'): Promise<Pooler> {
  const open = new Set<Socket>()
  const server = createServer((client) => {
    open.add(client)
    client.on('error', () => {})
    client.once('close', () => open.delete(client))
    void serve(client, url, moves, open).catch(() => client.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const own = new URL(url)
  own.hostname = '127.0.0.1'
  own.port = String((server.address() as AddressInfo).port)
  return {
    url: own.href,
    async close() {
      for (const socket of open) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

async function serve(client: Socket, url: string, moves: 'transactions' | 'statements', open: Set<Socket>): Promise<void> {
  client.pause()
  const servers = await Promise.all(Array.from({ length: SERVERS }, () => serverSocket(url)))
  let turn = 0
  let current: Socket | null = null
  for (const socket of servers) {
    open.add(socket)
    const messages = framed((message) => {
      const free = message[0] === READY && (moves === 'statements' || message[5] === IDLE)
      if (free && current === socket) current = null
    })
    socket.on('error', () => {})
    socket.once('close', () => {
      open.delete(socket)
      client.destroy()
    })
    socket.on('data', (data: Buffer) => {
      client.write(data)
      messages(data)
    })
  }
  client.once('close', () => {
    for (const socket of servers) socket.destroy()
  })
  const fromClient = framed((message) => {
    if (message[0] === TERMINATE) client.end()
    else {
      current ??= servers[turn++ % SERVERS]!
      current.write(message)
    }
  })
  let started = false
  client.on('data', (data: Buffer) => {
    if (started) return fromClient(data)
    if (data.readInt32BE(4) === SSL_REQUEST) return void client.write('N')
    started = true
    client.write(
      Buffer.concat([
        message('R', Buffer.alloc(4)),
        message('S', Buffer.from('client_encoding\0UTF8\0')),
        message('S', Buffer.from('standard_conforming_strings\0on\0')),
        message('K', Buffer.alloc(8)),
        message('Z', Buffer.from([IDLE])),
      ]),
    )
  })
  client.resume()
}

/** A connection that the driver has logged in, without the driver. */
async function serverSocket(url: string): Promise<Socket> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => {})
  await client.connect()
  const socket = (client as unknown as { connection: { stream: Socket } }).connection.stream
  socket.removeAllListeners('data')
  return socket
}

function framed(take: (message: Buffer) => void): (data: Buffer) => void {
  let held = Buffer.alloc(0)
  return (data) => {
    held = Buffer.concat([held, data])
    while (held.length >= 5) {
      const length = 1 + held.readInt32BE(1)
      if (held.length < length) return
      take(Buffer.from(held.subarray(0, length)))
      held = held.subarray(length)
    }
  }
}

function message(type: string, body: Buffer): Buffer {
  const head = Buffer.alloc(5, type)
  head.writeInt32BE(4 + body.length, 1)
  return Buffer.concat([head, body])
}
