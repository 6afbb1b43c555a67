import { DecryptCommand, EncryptCommand, type KMSClient } from '@aws-sdk/client-kms'
import { WaybillError } from '../core/errors.ts'
import { asWaybillError, sdkErrorName } from './sdk-errors.ts'

/** Encrypts a task token for rest. `context` must be the same to open it, and may be logged by AWS: it holds no secret. */
export type TokenSeal = {
  close(text: string, context: Record<string, string>): Promise<Uint8Array>
  /** @throws EVIDENCE_INVALID when the ciphertext was altered or belongs to another context */
  open(sealed: Uint8Array, context: Record<string, string>): Promise<string>
}

/** A task token has at most 2,048 characters; KMS encrypts up to 4,096 bytes directly, so no data key is needed. */
export function kmsTokenSeal({ kms, keyId }: { kms: KMSClient; keyId: string }): TokenSeal {
  return {
    async close(text, context) {
      const { CiphertextBlob } = await kms
        .send(new EncryptCommand({ KeyId: keyId, Plaintext: new TextEncoder().encode(text), EncryptionContext: context }))
        .catch((error) => {
          throw asWaybillError(error, 'Sealing a task token')
        })
      if (CiphertextBlob === undefined) throw new WaybillError('CONNECTION_FAILED', 'KMS returned no ciphertext. It is safe to try again.')
      return CiphertextBlob
    },
    async open(sealed, context) {
      const { Plaintext } = await kms
        .send(new DecryptCommand({ KeyId: keyId, CiphertextBlob: sealed, EncryptionContext: context }))
        .catch((error) => {
          if (sdkErrorName(error) === 'InvalidCiphertextException')
            throw new WaybillError(
              'EVIDENCE_INVALID',
              'A stored task token was altered or moved. Nothing was decided; look at the audit log.',
            )
          throw asWaybillError(error, 'Opening a task token')
        })
      return new TextDecoder().decode(Plaintext)
    },
  }
}
