import { createHash, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import type { Signer, TrustRoot } from '../../../layers/core/ports.ts'

const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n

/** A real P-256 key. `sign` takes a digest, so the curve arithmetic is done on the digest itself, as KMS does with MessageType DIGEST. */
export function keyPair(): { signer: Signer; pem: string; privateKey: KeyObject } {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const pem = createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }).toString()
  const signer: Signer = {
    sign: async (digest) => signDigest(privateKey, digest),
    publicKeyPem: async () => pem,
    keyId: async () => `local:${createHash('sha256').update(pem).digest('hex')}`,
  }
  return { signer, pem, privateKey }
}

/** ECDSA over a given digest with a fresh nonce; Node's `sign` would hash once more. */
function signDigest(privateKey: KeyObject, digest: Uint8Array): Uint8Array {
  const d = BigInt(`0x${Buffer.from(privateKey.export({ format: 'jwk' }).d ?? '', 'base64url').toString('hex')}`)
  const e = BigInt(`0x${Buffer.from(digest).toString('hex')}`)
  for (;;) {
    const nonce = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' })
    const k = BigInt(`0x${Buffer.from(nonce.d ?? '', 'base64url').toString('hex')}`)
    const r = BigInt(`0x${Buffer.from(nonce.x ?? '', 'base64url').toString('hex')}`) % ORDER
    const s = (inverse(k) * (e + r * d)) % ORDER
    if (r > 0n && s > 0n) return der(r, s)
  }
}

function inverse(value: bigint): bigint {
  let [a, b, x, y] = [value % ORDER, ORDER, 1n, 0n]
  while (a > 1n) {
    const quotient = a / b
    ;[a, b] = [b, a % b]
    ;[x, y] = [y, x - quotient * y]
  }
  return ((x % ORDER) + ORDER) % ORDER
}

export function der(r: bigint, s: bigint): Uint8Array {
  const integer = (value: bigint): number[] => {
    const hex = value.toString(16)
    const bytes = [...Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex')]
    const body = (bytes[0] ?? 0) >= 0x80 ? [0, ...bytes] : bytes
    return [2, body.length, ...body]
  }
  const body = [...integer(r), ...integer(s)]
  return Uint8Array.from([0x30, body.length, ...body])
}

/** (r, s) → (r, n − s): the second valid form of the same signature. */
export function malleated(signature: Uint8Array): Uint8Array {
  const bytes = Buffer.from(signature)
  const rLength = bytes[3] ?? 0
  const r = BigInt(`0x${bytes.subarray(4, 4 + rLength).toString('hex')}`)
  const s = BigInt(`0x${bytes.subarray(6 + rLength).toString('hex')}`)
  return der(r, ORDER - s)
}

export const keys = { plan: keyPair(), approval: keyPair(), evidence: keyPair(), anchor: keyPair(), stranger: keyPair() }
export const trust: TrustRoot = {
  plan: [keys.plan.pem],
  approval: [keys.approval.pem],
  evidence: [keys.evidence.pem],
  anchor: [keys.anchor.pem],
}

/** Signs bytes as OpenSSL would, for comparing with other implementations. */
export function opensslSign(privateKey: KeyObject, message: Uint8Array): Uint8Array {
  return sign('sha256', message, { key: privateKey, dsaEncoding: 'der' })
}
