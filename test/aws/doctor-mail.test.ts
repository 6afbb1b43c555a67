/** The doctor's look at SES, against a server that answers as SES does. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { mailLines } from '../../layers/aws/account/doctor/mail.ts'

let server: Server | undefined
afterEach(() => new Promise((done) => (server === undefined ? done(undefined) : server.close(done))))

/** What the doctor says of a sender and its identity, where SES knows these identities; and which it was asked about. */
async function seen(outputs: { MailFrom: string; MailIdentity: string }, known: Record<string, boolean>) {
  const asked: string[] = []
  const ses = createServer(({ url = '' }, response) => {
    const identity = /^\/v2\/email\/identities\/([^/?]+)/.exec(url)?.[1]
    response.setHeader('content-type', 'application/json')
    if (identity === undefined) {
      response.end(JSON.stringify({ ProductionAccessEnabled: true, SendingEnabled: true, EnforcementStatus: 'HEALTHY' }))
      return
    }
    const name = decodeURIComponent(identity)
    asked.push(name)
    if (known[name] === undefined) {
      response.statusCode = 404
      response.setHeader('x-amzn-errortype', 'NotFoundException')
    }
    response.end(JSON.stringify(known[name] === undefined ? { message: 'no such identity' } : { VerifiedForSendingStatus: known[name] }))
  })
  server = ses
  await new Promise<void>((listening) => ses.listen(0, '127.0.0.1', listening))
  const config = {
    region: 'eu-central-1',
    maxAttempts: 1,
    endpoint: `http://127.0.0.1:${(ses.address() as AddressInfo).port}`,
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  }
  const lines = await mailLines({ session: { region: config.region, config }, outputs } as never)
  return { asked: asked.sort(), sender: lines.find(({ check }) => check === 'sender') }
}

const below = { MailFrom: 'waybill@data.acme.eu', MailIdentity: 'acme.eu' }

it('takes a domain above the sender’s for its identity, as SES does', async () => {
  const { asked, sender } = await seen(below, { 'acme.eu': true })
  expect(asked).toEqual(['acme.eu', 'waybill@data.acme.eu'])
  expect(sender?.verdict).toBe('ok')
})

it('takes an address that was verified by itself', async () => {
  expect((await seen(below, { 'waybill@data.acme.eu': true })).sender?.verdict).toBe('ok')
})

it('names the identity of the settings where SES knows none, or has not verified it: no other would do', async () => {
  const unknown = (await seen(below, { 'data.acme.com': true })).sender
  expect(unknown).toMatchObject({ verdict: 'fail', says: expect.stringContaining('does not know acme.eu') })
  expect(unknown).toMatchObject({ remedy: expect.stringMatching(/--email-identity acme\.eu$/) })
  const pending = (await seen(below, { 'acme.eu': false })).sender
  expect(pending).toMatchObject({ verdict: 'fail', says: expect.stringMatching(/^acme\.eu is known to SES .* not verified/) })
})
