import { createPublicKey } from 'node:crypto'

/** The same P-256 key with its point written as hybrid, which names the parity of y as well: other bytes, and OpenSSL takes them. */
export function hybridForm(pem: string): string {
  const der = createPublicKey(pem).export({ type: 'spki', format: 'der' })
  // The point stands behind 26 bytes; the last byte is the last of y.
  der[26] = 6 | (der[90]! & 1)
  return `-----BEGIN PUBLIC KEY-----\n${der.toString('base64').replace(/.{64}/g, '$&\n')}\n-----END PUBLIC KEY-----\n`
}
