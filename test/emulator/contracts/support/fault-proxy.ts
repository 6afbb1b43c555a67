import { createServer, type IncomingMessage, request as send } from 'node:http'

/** What the service does to one request: loses its answer after the work was done, refuses it for load, or cancels a transaction that met another. */
export type Fault = 'lose the answer' | 'throttle' | 'cancel'

export type FaultProxy = {
  url: string
  /** Operations that went by, such as `DynamoDB_20120810.PutItem` or `PUT`, each with whether it reached the service. */
  seen: { operation: string; reached: boolean }[]
  /** The next `times` requests of an operation meet a fault. */
  upset(operation: string, fault: Fault, times?: number): void
  close(): Promise<void>
}

/** Between an SDK and an emulator. A lost answer is a connection that ends after the emulator has done its work. */
export async function faultProxy(target: string): Promise<FaultProxy> {
  const planned: { operation: string; fault: Fault }[] = []
  const seen: FaultProxy['seen'] = []
  const { hostname, port } = new URL(target)
  const server = createServer((request, response) => {
    const operation = operationOf(request)
    const at = planned.findIndex((plan) => plan.operation === operation)
    const fault = at < 0 ? null : planned.splice(at, 1)[0]!.fault
    seen.push({ operation, reached: fault === null || fault === 'lose the answer' })
    if (fault === 'cancel') {
      request.resume().once('end', () => {
        const body = { __type: 'com.amazonaws.dynamodb.v20120810#TransactionCanceledException', CancellationReasons: REASONS }
        response.writeHead(400, { 'content-type': 'application/x-amz-json-1.0' }).end(JSON.stringify(body))
      })
      return
    }
    if (fault === 'throttle') {
      request.resume().once('end', () => {
        const s3 = request.headers['x-amz-target'] === undefined && !request.url?.startsWith('/v2/')
        if (s3) return response.writeHead(503, { 'content-type': 'application/xml' }).end(SLOW_DOWN)
        response
          .writeHead(400, { 'content-type': 'application/x-amz-json-1.0', 'x-amzn-errortype': 'ThrottlingException' })
          .end(JSON.stringify({ __type: 'ThrottlingException', message: 'Rate exceeded' }))
      })
      return
    }
    const onward = send({ hostname, port, method: request.method, path: request.url, headers: request.headers }, (answer) => {
      if (fault === 'lose the answer') {
        answer.resume().once('end', () => request.socket.destroy())
        return
      }
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    onward.once('error', () => request.socket.destroy())
    request.pipe(onward)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
    seen,
    upset(operation, fault, times = 1) {
      for (let n = 0; n < times; n++) planned.push({ operation, fault })
    },
    close() {
      server.closeAllConnections()
      return new Promise((resolve) => {
        server.close(() => resolve())
      })
    },
  }
}

const REASONS = [{ Code: 'None' }, { Code: 'TransactionConflict', Message: 'Transaction is ongoing for the item' }]
const SLOW_DOWN = '<?xml version="1.0" encoding="UTF-8"?><Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>'

function operationOf({ headers, method, url }: IncomingMessage): string {
  const target = headers['x-amz-target']
  return typeof target === 'string' ? (target.split('.')[1] ?? target) : `${method} ${url?.startsWith('/v2/') ? 'mail' : 'object'}`
}
