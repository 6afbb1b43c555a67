import { RemovalPolicy, Stack } from 'aws-cdk-lib'
import { AccountRootPrincipal, ArnPrincipal, Effect, type IRole, PolicyDocument, PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { Key, KeySpec, KeyUsage } from 'aws-cdk-lib/aws-kms'
import { Construct } from 'constructs'
import type { SigningPurpose } from '../../layers/core/names.ts'
import { administration } from './key-policy.ts'

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
          administration('AccountAdministersButNeverSigns', props),
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
