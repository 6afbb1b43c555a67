import { createHash, hash } from 'node:crypto'

/** SHA-256 as 64 lower-case hexadecimal digits. Text is hashed as UTF-8. */
export function sha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** Up to this many bytes, joining the parts and hashing them at once is several times faster: nodes of a tree are 65 bytes. */
const SMALL = 4096

/** SHA-256 as 32 bytes, over the concatenation of the parts. */
export function sha256Bytes(...parts: readonly Uint8Array[]): Uint8Array {
  if (total(parts) <= SMALL) return hash('sha256', Buffer.concat(parts), 'buffer')
  const hashing = createHash('sha256')
  for (const part of parts) hashing.update(part)
  return hashing.digest()
}

function total(parts: readonly Uint8Array[]): number {
  let bytes = 0
  for (const part of parts) bytes += part.length
  return bytes
}
