import { execFileSync } from 'node:child_process'
import { createHash, X509Certificate } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { SignedData } from '@peculiar/asn1-cms'
import { AsnConvert } from '@peculiar/asn1-schema'
import { TimeStampResp } from '@peculiar/asn1-tsp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { timestampRequest } from '../../layers/core/evidence/timestamp-request.ts'
import { checkStamps } from '../../layers/timestamp/chain.ts'
import { timestampCheck } from '../../layers/timestamp/check.ts'
import { seeded } from '../core/verifier/mutation.ts'
import { type Authority, timestampAuthority } from './authority.ts'

const content = Buffer.from('{"files":[]}')
let authority: Authority
let response: Uint8Array

beforeAll(() => {
  authority = timestampAuthority()
  response = authority.reply(timestampRequest(content))
})
afterAll(() => authority.remove())

const refusal = (bytes: Uint8Array, roots: string[] | undefined, about: Uint8Array = content): string => {
  try {
    timestampCheck(roots)(bytes, about)
    return 'accepted'
  } catch (error) {
    return `${(error as { code?: string }).code}: ${(error as Error).message}`
  }
}

describe('a request', () => {
  it('is the one that openssl writes', () => {
    writeFileSync(join(authority.folder, 'content'), content)
    const theirs = execFileSync('openssl', ['ts', '-query', '-data', 'content', '-sha256', '-cert', '-no_nonce'], {
      cwd: authority.folder,
      stdio: 'pipe',
    })
    expect(Buffer.from(timestampRequest(content)).equals(theirs)).toBe(true)
  })
})

describe('a response of a real authority', () => {
  it.each(['rsa', 'ec'] as const)('holds, signed with %s, through an intermediate', (key) => {
    const other = key === 'rsa' ? authority : timestampAuthority(key)
    try {
      const stamp = timestampCheck([other.root])(other.reply(timestampRequest(content)), content)
      expect(stamp).toMatchObject({ trusted: true, authority: 'O=Example, CN=Test stamps' })
      expect(Date.parse(stamp.at)).not.toBeNaN()
    } finally {
      if (other !== authority) other.remove()
    }
  })

  it('says that nobody was trusted when no authority was named', () => {
    expect(timestampCheck(undefined)(response, content).trusted).toBe(false)
  })

  it('is refused for other content', () => {
    expect(refusal(response, [authority.root], Buffer.from('other'))).toMatch(/EVIDENCE_INVALID.*about something else/)
  })

  it('is refused under another root, also one of the same name', () => {
    const stranger = timestampAuthority()
    try {
      expect(refusal(response, [stranger.root])).toMatch(/no way leads from there to a certificate you trust/)
      expect(refusal(stranger.reply(timestampRequest(content)), [authority.root])).toMatch(/no way leads/)
    } finally {
      stranger.remove()
    }
  })

  it.each([
    ['loose', 'is not bound to stamping'],
    ['mails', 'may do other things too'],
  ])('is refused when its certificate %s', (name) => {
    const certificate = (which: string) => new X509Certificate(readFileSync(join(authority.folder, `${which}.pem`)))
    expect(() => checkStamps(certificate(name), new Date())).toThrow(/not one for timestamps only/)
    expect(() => checkStamps(certificate('stamps'), new Date())).not.toThrow()
    expect(() => checkStamps(certificate('stamps'), new Date('2001-01-01'))).toThrow(/was not valid when it was stamped/)
  })

  it('is refused when the authority did not grant it', () => {
    const request = Buffer.from(timestampRequest(content))
    // An unknown digest algorithm: the authority answers with a rejection.
    request[21] = 0x09
    expect(refusal(authority.reply(request), [authority.root])).toMatch(/did not grant it/)
  })

  it('is refused when something follows it, is missing from it, or it is something else', () => {
    expect(refusal(Buffer.concat([response, Buffer.of(0)]), [authority.root])).toMatch(/^EVIDENCE_INVALID/)
    for (const length of [0, 1, 2, 10, 100, response.length - 1])
      expect(refusal(response.subarray(0, length), [authority.root])).toMatch(/^EVIDENCE_INVALID/)
    expect(refusal(Buffer.from('no response'), [authority.root])).toMatch(/^EVIDENCE_INVALID/)
    expect(refusal(content, undefined)).toMatch(/^EVIDENCE_INVALID/)
  })

  it('cannot be made to say another time, another authority or another file by changing bits', () => {
    const honest = timestampCheck([authority.root])(response, content)
    const below = seeded(7)
    for (let made = 0; made < 1500; made++) {
      const changed = Uint8Array.from(response)
      changed[below(changed.length)]! ^= 1 << below(8)
      try {
        expect(timestampCheck([authority.root])(changed, content)).toEqual(honest)
      } catch (error) {
        expect(error).toMatchObject({ code: 'EVIDENCE_INVALID' })
      }
    }
  })

  it('is refused with another time in it, however consistently written, for nobody signed that', () => {
    const { timeStampToken } = AsnConvert.parse(response, TimeStampResp)
    const { encapContentInfo } = AsnConvert.parse(timeStampToken!.content, SignedData)
    const said = Buffer.from(encapContentInfo.eContent!.single!.buffer)
    const year = said.indexOf(Buffer.from(String(new Date().getUTCFullYear())))
    const forged = Buffer.from(said)
    forged.write('2001', year)
    const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest()
    const changed = Buffer.from(response)
    forged.copy(changed, changed.indexOf(said))
    digest(forged).copy(changed, changed.indexOf(digest(said)))
    expect(refusal(changed, undefined)).toMatch(/its signature does not hold/)
    expect(refusal(changed, [authority.root])).toMatch(/its signature does not hold/)
  })

  it('takes no authority that is no certificate', () => {
    expect(() => timestampCheck(['-----BEGIN PUBLIC KEY-----'])).toThrow(expect.objectContaining({ code: 'BAD_INPUT' }))
  })
})
