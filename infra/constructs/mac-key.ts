import { RemovalPolicy, Stack } from 'aws-cdk-lib'
import { type IRole, PolicyDocument } from 'aws-cdk-lib/aws-iam'
import { Key, KeySpec, KeyUsage } from 'aws-cdk-lib/aws-kms'
import { Construct } from 'constructs'
import type { MacPurpose } from '../../layers/core/names.ts'
import { administration, onlyThese } from './key-policy.ts'

/**
 * An HMAC key for one purpose, which nobody can read. As with a signing key its policy is whole and explicit: the account administers it and neither makes nor checks, only
 * `makers` make and only `checkers` check. Whoever does but one of them cannot do the other.
 */
export class MacKey extends Construct {
  readonly key: Key

  constructor(
    scope: Construct,
    id: string,
    props: { purpose: MacPurpose; makers: readonly IRole[]; checkers: readonly IRole[]; keepState: boolean },
  ) {
    super(scope, id)
    this.key = new Key(this, 'Key', {
      alias: `waybill/${Stack.of(this).stackName}/mac/${props.purpose}`,
      description: `Waybill: authenticates (${props.purpose})`,
      keySpec: KeySpec.HMAC_256,
      keyUsage: KeyUsage.GENERATE_VERIFY_MAC,
      removalPolicy: props.keepState ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
      policy: new PolicyDocument({
        statements: [
          administration('AccountAdministersButNeverUses', props),
          ...onlyThese('OnlyTheseMake', props.makers, 'kms:GenerateMac'),
          ...onlyThese('OnlyTheseCheck', props.checkers, 'kms:VerifyMac'),
        ],
      }),
    })
  }
}
