import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { passkeyChallenge, verifyPasskey } from '../../layers/core/passkey.ts'
import type { PasskeyAssertion } from '../../layers/core/schemas/governance.ts'

const ABOUT = { approval_id: 'a-1', subject_sha256: 'a'.repeat(64) }
const KEYS = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const pemOf = (key: KeyObject) => key.export({ type: 'spki', format: 'pem' }).toString()

type Said = { rpId?: string; flags?: number; client?: Record<string, unknown>; raw?: string; key?: KeyObject; origin?: string }

/** What an authenticator makes of it, with a key of our own. */
function assertion({
  rpId = 'localhost',
  flags = 0x05,
  client = {},
  raw,
  key = KEYS.privateKey,
  origin = 'http://localhost:8400',
}: Said = {}): PasskeyAssertion {
  const challenge = passkeyChallenge(ABOUT.approval_id, ABOUT.subject_sha256)
  const clientData = Buffer.from(raw ?? JSON.stringify({ type: 'webauthn.get', challenge, origin, crossOrigin: false, ...client }))
  const data = Buffer.concat([createHash('sha256').update(rpId).digest(), Buffer.from([flags]), Buffer.alloc(4)])
  const signature = sign('sha256', Buffer.concat([data, createHash('sha256').update(clientData).digest()]), key)
  return {
    credential_id: 'AAAA',
    public_key: pemOf(KEYS.publicKey),
    rp_id: rpId,
    origin,
    client_data_json: clientData.toString('base64url'),
    authenticator_data: data.toString('base64url'),
    signature: signature.toString('base64url'),
  }
}

describe('a passkey signature, checked again from its bytes', () => {
  it('holds for exactly this request and subject, on this machine and by https', () => {
    expect(verifyPasskey(assertion(), ABOUT)).toBeNull()
    expect(verifyPasskey(assertion({ rpId: 'example.org', origin: 'https://waybill.example.org' }), ABOUT)).toBeNull()
  })

  // Each is signed whole by the right key: only what it says is wrong.
  const wrong: [string, Said, RegExp][] = [
    ['a registration', { client: { type: 'webauthn.create' } }, /no sign-in signature/],
    ['another challenge', { client: { challenge: passkeyChallenge('a-2', ABOUT.subject_sha256) } }, /another request/],
    ['another subject', { client: { challenge: passkeyChallenge('a-1', 'b'.repeat(64)) } }, /another version/],
    ['another origin', { client: { origin: 'https://evil.example' } }, /another site/],
    ['a frame of another site', { client: { crossOrigin: true } }, /inside a page of another site/],
    ['a host that only ends alike', { rpId: 'example.org', origin: 'https://evilexample.org' }, /another site/],
    ['plain http elsewhere', { rpId: 'example.org', origin: 'http://waybill.example.org' }, /another site/],
    ['an origin with a path', { origin: 'http://localhost:8400/x', client: { origin: 'http://localhost:8400/x' } }, /another site/],
    ['nobody present', { flags: 0x04 }, /nobody was present/],
    ['a person not verified', { flags: 0x01 }, /not verified/],
    ['another key', { key: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey }, /does not match/],
    ['no JSON', { raw: 'x' }, /cannot be read/],
    ['null', { raw: 'null' }, /cannot be read/],
    ['a name twice', { raw: '{"type":"webauthn.create","type":"webauthn.get"}' }, /cannot be read/],
  ]
  for (const [what, said, why] of wrong) it(`does not hold: ${what}`, () => expect(verifyPasskey(assertion(said), ABOUT)).toMatch(why))

  it('does not hold with authenticator data for another host, cut short, or under a key of another kind', () => {
    const good = assertion()
    const elsewhere = assertion({ rpId: 'example.org', origin: 'https://example.org' })
    expect(verifyPasskey({ ...good, authenticator_data: elsewhere.authenticator_data }, ABOUT)).toMatch(/another host/)
    expect(verifyPasskey({ ...good, authenticator_data: 'AAAA' }, ABOUT)).toMatch(/too short/)
    for (const key of [generateKeyPairSync('ec', { namedCurve: 'P-384' }), generateKeyPairSync('ed25519')])
      expect(verifyPasskey({ ...good, public_key: pemOf(key.publicKey) }, ABOUT)).toMatch(/another kind than P-256/)
    expect(verifyPasskey({ ...good, public_key: 'none' }, ABOUT)).toMatch(/cannot be read/)
  })
})
