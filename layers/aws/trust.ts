import type { KMSClient } from '@aws-sdk/client-kms'
import { SIGNING_PURPOSES, type SigningPurpose } from '../core/names.ts'
import type { TrustRoot } from '../core/ports.ts'
import { kmsPublicKeyPem } from './signer.ts'

/** The trust root of this deployment: the public halves of the KMS keys it was configured with, and no other. */
export async function kmsTrustRoot(kms: KMSClient, keyArns: Record<SigningPurpose, readonly string[]>): Promise<TrustRoot> {
  const pems = (purpose: SigningPurpose) => Promise.all(keyArns[purpose].map((arn) => kmsPublicKeyPem(kms, arn)))
  const found = await Promise.all(SIGNING_PURPOSES.map(async (purpose) => [purpose, await pems(purpose)]))
  return Object.fromEntries(found) as TrustRoot
}
