import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'

export type Asked = { method: string; path: string; query: URLSearchParams; headers: IncomingMessage['headers']; body: string }
export type Answered = { status: number; json: unknown }

/** What goes wrong with a store: each but the first on every answer. */
export const FAULTS = ['busy once', 'busy', 'broken', 'no JSON', 'another form', 'endless', 'elsewhere', 'cut', 'silent'] as const
export type Fault = (typeof FAULTS)[number]

export type StoreServer = {
  url: string
  /** Questions so far, newest last. */
  asked: Asked[]
  fault: Fault | null
  close(): Promise<void>
}

/**
 * A real HTTP server. `answer` speaks the store's language; a fault spoils what it says, with `secret` in the spoilt text, as a half-written
 * answer of a real one would have it.
 */
export async function storeServer(secret: string, answer: (asked: Asked) => Answered): Promise<StoreServer> {
  const asked: Asked[] = []
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part as Buffer)
    const url = new URL(request.url ?? '/', 'http://store')
    const one = {
      method: request.method ?? '',
      path: url.pathname,
      query: url.searchParams,
      headers: request.headers,
      body: Buffer.concat(parts).toString('utf8'),
    }
    asked.push(one)
    const send = (status: number, body: string, headers: Record<string, string> = {}) =>
      response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body)
    const busy = () => send(429, JSON.stringify({ errors: [], __type: 'ThrottlingException' }), { 'retry-after': '7' })
    switch (state.fault) {
      case 'busy once':
        state.fault = null
        return busy()
      case 'busy':
        return busy()
      case 'broken':
        return send(500, JSON.stringify({ errors: [`internal error near ${secret}`] }))
      case 'no JSON':
        return send(200, `${secret} and then some`)
      case 'another form':
        return send(200, JSON.stringify({ here: [secret], data: secret, value: [secret], SecretString: { at: secret } }))
      case 'endless':
        return send(200, JSON.stringify({ value: secret.repeat(200_000) }))
      case 'elsewhere':
        return send(307, '', { location: 'http://127.0.0.1:9/else' })
      case 'cut':
        response.writeHead(200, { 'content-type': 'application/json', 'content-length': '10000' })
        response.write(`{"value":"${secret}`, () => response.destroy())
        return
      case 'silent':
        return
      default: {
        const said = answer(one)
        send(said.status, said.json === undefined ? '' : JSON.stringify(said.json))
      }
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const state: StoreServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    fault: null,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return state
}
