import { createPublicKey } from 'node:crypto'
import { GetPublicKeyCommand, type KMSClient, SignCommand } from '@aws-sdk/client-kms'
import { WaybillError } from '../core/errors.ts'
import type { Signer } from '../core/ports.ts'
import { asWaybillError } from './sdk-errors.ts'

/** One asymmetric KMS key (ECC_NIST_P256). `keyId` is its ARN; the private half never leaves KMS. */
export function kmsSigner({ kms, keyArn }: { kms: KMSClient; keyArn: string }): Signer {
  let pem: Promise<string> | undefined
  return {
    async sign(digest) {
      if (digest.length !== 32) throw new WaybillError('BAD_INPUT', 'Only a SHA-256 digest of 32 bytes is signed.')
      const { Signature } = await kms
        .send(new SignCommand({ KeyId: keyArn, Message: digest, MessageType: 'DIGEST', SigningAlgorithm: 'ECDSA_SHA_256' }))
        .catch((error) => {
          throw asWaybillError(error, 'Signing')
        })
      if (Signature === undefined) throw new WaybillError('CONNECTION_FAILED', 'KMS returned no signature. It is safe to try again.')
      return Signature
    },
    publicKeyPem: () => {
      pem ??= kmsPublicKeyPem(kms, keyArn).catch((error) => {
        pem = undefined
        throw error
      })
      return pem
    },
    keyId: async () => keyArn,
  }
}

/** SPKI PEM of a KMS key's public half. */
export async function kmsPublicKeyPem(kms: KMSClient, keyArn: string): Promise<string> {
  const { PublicKey } = await kms.send(new GetPublicKeyCommand({ KeyId: keyArn })).catch((error) => {
    throw asWaybillError(error, 'Reading a public key')
  })
  if (PublicKey === undefined) throw new WaybillError('NOT_FOUND', `KMS has no public key for ${keyArn}.`)
  return createPublicKey({ key: Buffer.from(PublicKey), format: 'der', type: 'spki' })
    .export({ format: 'pem', type: 'spki' })
    .toString()
}
