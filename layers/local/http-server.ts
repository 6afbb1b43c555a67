import { createServer, type IncomingMessage } from 'node:http'
import { WaybillError } from '../core/errors.ts'
import type { HttpRequest, HttpResponse } from '../core/ports.ts'

/** Larger bodies are cut off unread: a decision is a few hundred bytes. */
const MAX_BODY = 65_536

async function bodyOf(request: IncomingMessage): Promise<string | null> {
  const parts: Buffer[] = []
  let size = 0
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length
    if (size > MAX_BODY) return null
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}

function requestOf(request: IncomingMessage, body: string): HttpRequest {
  const url = new URL(request.url ?? '/', 'http://127.0.0.1')
  const headers = Object.entries(request.headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : (value ?? '')])
  return {
    method: request.method ?? 'GET',
    path: url.pathname,
    query: Object.fromEntries(url.searchParams),
    headers: Object.fromEntries(headers) as Record<string, string>,
    body,
  }
}

export type HttpServer = { url: string; port: number; close(): Promise<void> }

/**
 * Serves on the loopback interface only; port 0 takes any free one. A handler that fails gives an empty 500 page and says nothing of why.
 * @throws CONFLICT when the port is taken
 */
export async function serveLoopback(port: number, handle: (request: HttpRequest) => Promise<HttpResponse>): Promise<HttpServer> {
  const server = createServer((incoming, outgoing) => {
    const answer = async (): Promise<HttpResponse> => {
      const body = await bodyOf(incoming)
      if (body === null)
        return { status: 413, headers: { 'content-type': 'text/plain; charset=utf-8', connection: 'close' }, body: 'Too large.\n' }
      return handle(requestOf(incoming, body))
    }
    answer().then(
      ({ status, headers, body }) => outgoing.writeHead(status, headers).end(body),
      () => {
        if (!outgoing.headersSent) outgoing.writeHead(500, { 'content-type': 'text/plain; charset=utf-8' })
        outgoing.end('Something went wrong. Nothing was changed.\n')
      },
    )
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) =>
      reject(
        cause.code === 'EADDRINUSE'
          ? new WaybillError(
              'CONFLICT',
              `Port ${port} of the approval page is taken; links mailed earlier lead there. Is another waybill running on this home? Stop it, or free the port.`,
              { cause },
            )
          : cause,
      ),
    )
    server.listen(port, '127.0.0.1', resolve)
  })
  const address = server.address()
  const bound = typeof address === 'object' && address !== null ? address.port : port
  return {
    url: `http://127.0.0.1:${bound}`,
    port: bound,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
