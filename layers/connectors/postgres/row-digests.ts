import { hash } from 'node:crypto'

/** SHA-256 of every frame of `chunk` (whole frames), 32 bytes each, in order. The result is valid until the next call. */
export type RowHasher = { digests(chunk: Buffer): Buffer }

export function rowHasher(): RowHasher {
  let out = Buffer.allocUnsafe(32 * 1024)
  return {
    digests(chunk) {
      let used = 0
      for (let at = 0; at < chunk.byteLength; ) {
        const end = at + 1 + chunk.readInt32BE(at + 1)
        if (used === out.byteLength) out = Buffer.concat([out, Buffer.allocUnsafe(out.byteLength)])
        hash('sha256', chunk.subarray(at, end), 'buffer').copy(out, used)
        used += 32
        at = end
      }
      return out.subarray(0, used)
    },
  }
}
