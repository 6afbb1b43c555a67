import type { KMSClient } from '@aws-sdk/client-kms'
import type { SigningPurpose, TrustRoot } from '../core/ports.ts'
import { kmsPublicKeyPem } from './signer.ts'

/** The trust root of this deployment: the public halves of the KMS keys it was configured with, and no other. */
export async function kmsTrustRoot(kms: KMSClient, keyArns: Record<SigningPurpose, readonly string[]>): Promise<TrustRoot> {
  const pems = (purpose: SigningPurpose) => Promise.all(keyArns[purpose].map((arn) => kmsPublicKeyPem(kms, arn)))
  const [plan, approval, evidence, anchor] = await Promise.all([pems('plan'), pems('approval'), pems('evidence'), pems('anchor')])
  return { plan, approval, evidence, anchor }
}
