import { connect } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type HttpServer, serveLoopback } from '../../layers/local/http-server.ts'
import { type Asked, askedFor } from '../functions/support/asked.ts'
import { chain, filled, settled, stand } from '../functions/support/decisions.ts'
import { linkIn, PEOPLE } from '../functions/support/story.ts'

/** What a connection answers to these bytes, until it is closed by either side. */
function raw(port: number, bytes: string | Uint8Array): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
    })
    // A reset is an answer too.
    socket.on('error', () => {})
    socket.on('close', () => resolve(text))
    socket.write(bytes)
  })
}

const statusOf = (answer: string) => /^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1]

describe('the approval pages of this machine', () => {
  let asked: Asked
  let link: URL
  beforeEach(async () => {
    asked = await askedFor((mail) => mail.to === PEOPLE.security)
    link = linkIn(asked.mail(PEOPLE.security))
  })
  afterEach(() => asked.close())

  const send = (method: string, target: string, host: string, body = '', more: string[] = []) =>
    raw(
      asked.server.port,
      [`${method} ${target} HTTP/1.1`, `Host: ${host}`, 'Connection: close', `Content-Length: ${body.length}`, ...more, '', body].join(
        '\r\n',
      ),
    )

  it('answer to their own name only: a page elsewhere whose name was made to point here reads and decides nothing', async () => {
    const before = await stand(asked)
    const fields = (await filled(link, 'approve')).toString()
    const form = ['Content-Type: application/x-www-form-urlencoded', `Origin: ${link.origin}`]
    const others = [
      'evil.example',
      `evil.example:${link.port}`,
      '127.0.0.1.evil.example',
      'localhost.evil.example',
      '0.0.0.0',
      '[::1]',
      '',
      `evil@${link.host}`,
    ]
    for (const host of others) {
      expect(statusOf(await send('GET', link.pathname + link.search, host)), host).toBe('421')
      expect(statusOf(await send('POST', link.pathname, host, fields, form)), host).toBe('421')
      expect(statusOf(await send('POST', '/outbox', host)), host).toBe('421')
    }
    await settled()
    expect(await stand(asked)).toEqual(before)
    expect(asked.on.systems.touched).toEqual([])
    for (const host of [link.host, `LOCALHOST:${link.port}`, '127.0.0.1'])
      expect(statusOf(await send('GET', link.pathname + link.search, host)), host).toBe('200')
  })

  it('let no other site read them: no CORS header on any answer, whatever is asked', async () => {
    const asks = {
      origin: 'https://evil.example',
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'content-type',
    }
    const before = await stand(asked)
    for (const method of ['GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'DELETE', 'PATCH']) {
      const response = await fetch(link, { method, headers: asks })
      expect([...response.headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([])
    }
    expect(await stand(asked)).toEqual(before)
  })

  it('have no address beside their own: dots, slashes, encodings and whole addresses lead nowhere', async () => {
    const before = await stand(asked)
    const { pathname, search, host } = link
    const id = pathname.split('/').at(-1)
    const targets = [
      `//${id}${search}`,
      '//',
      `/approvals/../approvals/${id}/${search}`,
      `/approvals%2f${id}${search}`,
      `/approvals/${id}%00${search}`,
    ]
    targets.push(
      `/approvals/%2e%2e/${id}${search}`,
      `/approvals/${id?.toUpperCase()}${search}`,
      `/approvals//${id}${search}`,
      `/approvals/..;/${id}${search}`,
    )
    for (const target of targets) expect(['400', '404']).toContain(statusOf(await send('GET', target, host)))
    expect(await stand(asked)).toEqual(before)
  })

  it('carry nothing of a request into their headers', async () => {
    const nasty = encodeURIComponent('x\r\nset-cookie: a=b\r\n\r\n<h1>')
    for (const target of [
      `${link.pathname}?t=${nasty}`,
      `/sign-in?approval=${nasty}&t=${nasty}`,
      `/sign-in/callback?state=${nasty}`,
      `/${nasty}`,
    ]) {
      const [head = ''] = (await send('GET', target, link.host)).split('\r\n\r\n')
      expect(head).not.toMatch(/set-cookie|<h1>|a=b/i)
    }
    const split = await send('GET', `${link.pathname}${link.search}`, link.host, '', ['X-A: b\r\n c', 'Cookie: waybill-session=\u0001'])
    expect(statusOf(split)).toBe('400')
  })

  it('take no request for two', async () => {
    const before = await stand(asked)
    const fields = (await filled(link, 'approve')).toString()
    const inner = `POST ${link.pathname} HTTP/1.1\r\nHost: ${link.host}\r\nOrigin: ${link.origin}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: ${fields.length}\r\n\r\n${fields}`
    const both = `POST /x HTTP/1.1\r\nHost: ${link.host}\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${inner}`
    expect(statusOf(await raw(asked.server.port, both))).toBe('400')
    const twice = `POST /x HTTP/1.1\r\nHost: ${link.host}\r\nContent-Length: 0\r\nContent-Length: ${inner.length}\r\n\r\n${inner}`
    expect(statusOf(await raw(asked.server.port, twice))).toBe('400')
    await settled()
    expect(await stand(asked)).toEqual(before)
  })

  it('read no more than a decision needs, and say so', async () => {
    const before = await stand(asked)
    const form = { 'content-type': 'application/x-www-form-urlencoded', origin: link.origin }
    for (const path of [link.pathname, link.pathname.replace('approvals', 'passkeys'), '/outbox', '/x'])
      expect((await fetch(new URL(path, link), { method: 'POST', headers: form, body: 'a'.repeat(3_000_000) })).status).toBe(413)
    // Under the server's limit and above the form's.
    expect(
      (await fetch(new URL(link.pathname, link), { method: 'POST', headers: form, body: `reason=${'a'.repeat(40_000)}` })).status,
    ).toBe(413)
    expect(statusOf(await send('GET', `${link.pathname}?t=${'a'.repeat(100_000)}`, link.host))).toBe('431')
    const many = Array.from({ length: 1500 }, (_, at) => `answer-${at}=1`).join('&')
    expect((await fetch(new URL(link.pathname, link), { method: 'POST', headers: form, body: many })).status).toBe(403)
    expect(await stand(asked)).toEqual(before)
    expect((await chain(asked, 'DECISION_REFUSED')).map((entry) => entry.details.why)).toEqual(['bad-link'])
  })
})

describe('connections that only wait', () => {
  const servers: HttpServer[] = []
  afterEach(async () => {
    for (const server of servers.splice(0)) await server.close()
  })
  const impatient = async () => {
    const server = await serveLoopback(0, async () => ({ status: 200, headers: {}, body: 'here' }), 100)
    servers.push(server)
    return server
  }

  it.each([
    ['without a word', ''],
    ['after half a line', 'GET / HT'],
    ['between two headers', 'GET / HTTP/1.1\r\nHost: localhost\r\n'],
    ['in the middle of a body', 'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nhalf'],
  ])('%s are closed, and others are answered', async (_what, words) => {
    const server = await impatient()
    // Ends only because the server closes it.
    const answer = await raw(server.port, words)
    expect(['408', undefined]).toContain(statusOf(answer))
    expect(await (await fetch(server.url)).text()).toBe('here')
  })

  it('are held in a number that leaves the process its files', async () => {
    const server = await serveLoopback(0, async () => ({ status: 200, headers: {}, body: 'here' }))
    servers.push(server)
    const closed = { count: 0 }
    const sockets = Array.from({ length: 300 }, () => {
      const socket = connect(server.port, '127.0.0.1')
      socket.on('error', () => {})
      socket.on('close', () => {
        closed.count += 1
      })
      return socket
    })
    while (closed.count < 300 - 256) await new Promise((resolve) => setTimeout(resolve, 5))
    for (const socket of sockets) socket.destroy()
    while (closed.count < 300) await new Promise((resolve) => setTimeout(resolve, 5))
    expect(await (await fetch(server.url)).text()).toBe('here')
  })
})
