import { RemovalPolicy, Stack } from 'aws-cdk-lib'
import { type IRole, PolicyDocument } from 'aws-cdk-lib/aws-iam'
import { Key } from 'aws-cdk-lib/aws-kms'
import { Construct } from 'constructs'
import { administration, onlyThese } from './key-policy.ts'

/**
 * A symmetric, rotated key that task tokens are sealed with: whoever opens one can answer in people's place. As with a signing key its policy is whole and explicit:
 * the account administers it and neither seals nor opens, whatever IAM says; only `sealers` seal and only `openers` open. No service uses it, so it gives no grants.
 */
export class TokenKey extends Construct {
  readonly key: Key

  constructor(scope: Construct, id: string, props: { sealers: readonly IRole[]; openers: readonly IRole[]; keepState: boolean }) {
    super(scope, id)
    this.key = new Key(this, 'Key', {
      alias: `waybill/${Stack.of(this).stackName}/tokens`,
      description: 'Waybill: encrypts task tokens',
      enableKeyRotation: true,
      removalPolicy: props.keepState ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
      policy: new PolicyDocument({
        statements: [
          administration('AccountAdministersButNeverUses', { ...props, rotates: true }),
          ...onlyThese('OnlyTheseSeal', props.sealers, 'kms:Encrypt'),
          ...onlyThese('OnlyTheseOpen', props.openers, 'kms:Decrypt'),
        ],
      }),
    })
  }
}
