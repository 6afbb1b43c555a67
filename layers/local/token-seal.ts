import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { WaybillError } from '../core/errors.ts'

/** Encrypts a task token for rest; `context` is bound into the ciphertext, so that a sealed token moved to another group does not open. */
export type TokenSeal = { close(text: string, context: string): Uint8Array; open(sealed: Uint8Array, context: string): string }

/** AES-256-GCM: 12 bytes nonce, 16 bytes tag, ciphertext. `key` has 32 bytes. */
export function aesTokenSeal(key: Uint8Array): TokenSeal {
  return {
    close(text, context) {
      const nonce = randomBytes(12)
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(context))
      const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
      return Buffer.concat([nonce, cipher.getAuthTag(), body])
    },
    open(sealed, context) {
      try {
        const bytes = Buffer.from(sealed)
        const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12), { authTagLength: 16 })
          .setAAD(Buffer.from(context))
          .setAuthTag(bytes.subarray(12, 28))
        return Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]).toString('utf8')
      } catch (cause) {
        throw new WaybillError(
          'EVIDENCE_INVALID',
          'A stored task token was altered or moved. Nothing was decided; look at the audit log.',
          { cause },
        )
      }
    },
  }
}
