import { RemovalPolicy, Stack } from 'aws-cdk-lib'
import { AccountRootPrincipal, ArnPrincipal, Effect, type IRole, PolicyDocument, PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { Key, KeySpec, KeyUsage } from 'aws-cdk-lib/aws-kms'
import { Construct } from 'constructs'
import type { SigningPurpose } from '../../layers/core/names.ts'

/** What the account may do with a key besides using it. No CreateGrant: a grant would hand out Sign behind the key policy's back. */
export const ADMINISTRATION = [
  'kms:DescribeKey',
  'kms:GetKeyPolicy',
  'kms:GetKeyRotationStatus',
  'kms:ListKeyPolicies',
  'kms:ListGrants',
  'kms:ListResourceTags',
  'kms:PutKeyPolicy',
  'kms:RevokeGrant',
  'kms:TagResource',
  'kms:UntagResource',
  'kms:UpdateKeyDescription',
  'kms:EnableKey',
  // Each key has an alias; KMS asks for these on the key as well as on the alias.
  'kms:CreateAlias',
  'kms:UpdateAlias',
  'kms:DeleteAlias',
]
/** Losing a key loses what it signed or sealed. Where state is kept, even an administrator must change the key policy first. */
export const DESTRUCTION = ['kms:DisableKey', 'kms:ScheduleKeyDeletion', 'kms:CancelKeyDeletion']

/**
 * An ECDSA P-256 key for one purpose. Its key policy is whole and explicit: the account administers it and reads its public half (as far as IAM says so), and only
 * `signers` sign, only digests, only with ECDSA_SHA_256. Named as principals, so that a role made again under the same name cannot sign.
 */
export class SigningKey extends Construct {
  readonly key: Key

  constructor(scope: Construct, id: string, props: { purpose: SigningPurpose; signers: readonly IRole[]; keepState: boolean }) {
    super(scope, id)
    const root = new AccountRootPrincipal()
    this.key = new Key(this, 'Key', {
      alias: `waybill/${Stack.of(this).stackName}/${props.purpose}`,
      description: `Waybill: signs ${props.purpose} statements`,
      keySpec: KeySpec.ECC_NIST_P256,
      keyUsage: KeyUsage.SIGN_VERIFY,
      removalPolicy: props.keepState ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
      policy: new PolicyDocument({
        statements: [
          new PolicyStatement({
            sid: 'AccountAdministersButNeverSigns',
            principals: [root],
            actions: [...ADMINISTRATION, ...(props.keepState ? [] : DESTRUCTION)],
            resources: ['*'],
          }),
          new PolicyStatement({ sid: 'AccountReadsThePublicHalf', principals: [root], actions: ['kms:GetPublicKey'], resources: ['*'] }),
          new PolicyStatement({
            sid: 'OnlyTheSigningFunctionsSign',
            effect: Effect.ALLOW,
            principals: props.signers.map((role) => new ArnPrincipal(role.roleArn)),
            actions: ['kms:Sign'],
            resources: ['*'],
            conditions: { StringEquals: { 'kms:MessageType': 'DIGEST', 'kms:SigningAlgorithm': 'ECDSA_SHA_256' } },
          }),
        ],
      }),
    })
  }
}
