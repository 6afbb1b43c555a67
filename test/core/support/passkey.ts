import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { passkeyChallenge } from '../../../layers/core/passkey.ts'
import type { PasskeyAssertion } from '../../../layers/core/schemas/governance.ts'

export type PasskeyPair = { publicKey: KeyObject; privateKey: KeyObject }
export const passkeyPair = (): PasskeyPair => generateKeyPairSync('ec', { namedCurve: 'P-256' })

/** What an authenticator on this machine makes of one approval, with a key of our own. */
export function passkeyOver(about: { approval_id: string; subject_sha256: string }, pair: PasskeyPair): PasskeyAssertion {
  const origin = 'http://localhost:8400'
  const challenge = passkeyChallenge(about.approval_id, about.subject_sha256)
  const clientData = Buffer.from(JSON.stringify({ type: 'webauthn.get', challenge, origin, crossOrigin: false }))
  const data = Buffer.concat([createHash('sha256').update('localhost').digest(), Buffer.from([0x05]), Buffer.alloc(4)])
  const signature = sign('sha256', Buffer.concat([data, createHash('sha256').update(clientData).digest()]), pair.privateKey)
  return {
    credential_id: 'AAAA',
    public_key: pair.publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    rp_id: 'localhost',
    origin,
    client_data_json: clientData.toString('base64url'),
    authenticator_data: data.toString('base64url'),
    signature: signature.toString('base64url'),
  }
}
