import { z } from 'zod'
import type { HttpRequest, HttpResponse } from '../core/ports.ts'

/** The parts Waybill reads of an API Gateway HTTP API event, payload format 2.0. */
const httpEvent = z.looseObject({
  rawPath: z.string(),
  rawQueryString: z.string().default(''),
  headers: z.record(z.string(), z.string()).default({}),
  cookies: z.array(z.string()).optional(),
  body: z.string().optional(),
  isBase64Encoded: z.boolean().default(false),
  requestContext: z.looseObject({ http: z.looseObject({ method: z.string() }) }),
})

/** @throws ZodError when it is no such event */
export function httpRequestOf(event: unknown): HttpRequest {
  const { rawPath, rawQueryString, headers, cookies, body, isBase64Encoded, requestContext } = httpEvent.parse(event)
  const lower = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
  return {
    method: requestContext.http.method,
    path: rawPath,
    // Of a repeated parameter the first counts, as with URLSearchParams.get.
    query: Object.fromEntries([...new URLSearchParams(rawQueryString)].reverse()),
    headers: cookies === undefined ? lower : { ...lower, cookie: cookies.join('; ') },
    body: isBase64Encoded ? Buffer.from(body ?? '', 'base64').toString('utf8') : (body ?? ''),
  }
}

/** Cookies travel beside the headers in this format. */
export function httpResultOf({ status, headers, body }: HttpResponse) {
  const plain = Object.entries(headers).filter(([name]) => name.toLowerCase() !== 'set-cookie')
  const cookies = Object.entries(headers).filter(([name]) => name.toLowerCase() === 'set-cookie')
  return {
    statusCode: status,
    headers: Object.fromEntries(plain),
    cookies: cookies.map(([, value]) => value),
    body,
    isBase64Encoded: false,
  }
}
