import { createServer, type IncomingMessage } from 'node:http'
import { WaybillError } from '../core/errors.ts'
import type { HttpRequest, HttpResponse } from '../core/ports.ts'

/** Larger bodies are cut off unread: a decision is a few hundred bytes. */
const MAX_BODY = 65_536
/** Whoever takes longer to send a request, or its first half of headers, keeps a connection from others: it is closed. */
const PATIENCE_MS = 20_000
/** More at once is no person; without an end to it, files of the running migration could no longer be opened. */
const MAX_CONNECTIONS = 256

/**
 * Threat: a web page elsewhere whose name is made to point at this machine (DNS rebinding) would be one site with these pages in the
 * approver's browser. Its own name still stands in the Host header.
 */
function isOwnName(host: string | undefined): boolean {
  return /^(127\.0\.0\.1|localhost)(:\d{1,5})?$/i.test(host ?? '')
}

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

function requestOf(request: IncomingMessage, body: string): HttpRequest | null {
  const url = URL.parse(request.url ?? '/', 'http://127.0.0.1')
  if (url === null) return null
  const headers = Object.entries(request.headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : (value ?? '')])
  return {
    method: request.method ?? 'GET',
    path: url.pathname,
    query: Object.fromEntries(url.searchParams),
    headers: Object.fromEntries(headers) as Record<string, string>,
    body,
  }
}

function refusal(status: number, words: string): HttpResponse {
  return { status, headers: { 'content-type': 'text/plain; charset=utf-8', connection: 'close' }, body: `${words}\n` }
}

export type HttpServer = { url: string; port: number; close(): Promise<void> }

/**
 * Serves on the loopback interface only, under this machine's own names; port 0 takes any free one. A handler that fails gives an empty
 * 500 page and says nothing of why.
 * @param patienceMs how long a request may take to arrive
 * @throws CONFLICT when the port is taken
 */
export async function serveLoopback(
  port: number,
  handle: (request: HttpRequest) => Promise<HttpResponse>,
  patienceMs = PATIENCE_MS,
): Promise<HttpServer> {
  const patience = { headersTimeout: patienceMs, requestTimeout: patienceMs, connectionsCheckingInterval: patienceMs / 4 }
  const server = createServer(patience, (incoming, outgoing) => {
    const answer = async (): Promise<HttpResponse> => {
      if (!isOwnName(incoming.headers.host)) return refusal(421, 'This server answers to no such name.')
      const body = await bodyOf(incoming)
      if (body === null) return refusal(413, 'Too large.')
      const request = requestOf(incoming, body)
      return request === null ? refusal(400, 'This is no address.') : handle(request)
    }
    answer().then(
      ({ status, headers, body }) => outgoing.writeHead(status, headers).end(body),
      () => {
        if (!outgoing.headersSent) outgoing.writeHead(500, { 'content-type': 'text/plain; charset=utf-8' })
        outgoing.end('Something went wrong. Nothing was changed.\n')
      },
    )
  })
  server.maxConnections = MAX_CONNECTIONS
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
