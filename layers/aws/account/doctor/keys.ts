import { DescribeKeyCommand, GetKeyPolicyCommand, ListGrantsCommand } from '@aws-sdk/client-kms'
import { type DoctorLine, fail, ok } from '../../../core/doctor.ts'
import type { SigningPurpose } from '../../../core/names.ts'
import type { Patient } from './place.ts'
import { covers, readPolicy } from './policy.ts'

/** Each of the four keys signs, and only for the functions that were deployed to sign with it. */
export async function keyLines({ session: { kms }, outputs }: Patient): Promise<DoctorLine[]> {
  const keys: readonly [SigningPurpose, string, readonly string[]][] = [
    ['plan', outputs.PlanKeyArn, outputs.PlanSignerArns],
    ['approval', outputs.ApprovalKeyArn, outputs.ApprovalSignerArns],
    ['evidence', outputs.EvidenceKeyArn, outputs.EvidenceSignerArns],
    ['anchor', outputs.AnchorKeyArn, outputs.AnchorSignerArns],
  ]
  const lines = await Promise.all(
    keys.map(async ([purpose, KeyId, signers]) => {
      const [{ KeyMetadata }, { Policy }, { Grants }] = await Promise.all([
        kms.send(new DescribeKeyCommand({ KeyId })),
        kms.send(new GetKeyPolicyCommand({ KeyId, PolicyName: 'default' })),
        kms.send(new ListGrantsCommand({ KeyId })),
      ])
      const faults: string[] = []
      if (KeyMetadata?.KeyState !== 'Enabled') faults.push(`is ${KeyMetadata?.KeyState ?? 'not there'}`)
      if (KeyMetadata?.KeySpec !== 'ECC_NIST_P256' || KeyMetadata.KeyUsage !== 'SIGN_VERIFY') faults.push('is no signing key of P-256')
      const allowed = readPolicy(Policy).filter(({ effect }) => effect === 'Allow')
      const may = (action: string) =>
        allowed.filter(({ actions }) => actions.some((each) => covers(each, action))).flatMap(({ principals }) => principals)
      const others = [...new Set(may('kms:Sign').filter((principal) => !signers.includes(principal)))]
      if (others.length > 0) faults.push(`may be used to sign by ${others.join(', ')}`)
      const granting = [...new Set(may('kms:CreateGrant'))]
      if (granting.length > 0) faults.push(`may be granted to others by ${granting.join(', ')}`)
      const granted = (Grants ?? []).filter(({ Operations = [] }) => Operations.includes('Sign') || Operations.includes('CreateGrant'))
      if (granted.length > 0) faults.push(`is granted for signing to ${granted.map(({ GranteePrincipal }) => GranteePrincipal).join(', ')}`)
      const unable = signers.filter((signer) => !may('kms:Sign').includes(signer))
      if (unable.length > 0) faults.push(`may not be used by ${unable.join(', ')}, which must sign with it`)
      return faults.map((fault) =>
        fail(
          'key-policy',
          `The ${purpose} key ${fault}.`,
          'Deploy the state stack again. If anybody else could sign: change the key, and judge anew what it signed since.',
        ),
      )
    }),
  )
  const faults = lines.flat()
  return faults.length > 0 ? faults : [ok('key-policy', 'Each of the four keys signs for its own functions and for nobody else.')]
}
