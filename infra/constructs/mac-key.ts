import { RemovalPolicy, Stack } from 'aws-cdk-lib'
import { AccountRootPrincipal, ArnPrincipal, type IRole, PolicyDocument, PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { Key, KeySpec, KeyUsage } from 'aws-cdk-lib/aws-kms'
import { Construct } from 'constructs'
import type { MacPurpose } from '../../layers/core/names.ts'
import { ADMINISTRATION, DESTRUCTION } from './signing-key.ts'

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
          new PolicyStatement({
            sid: 'AccountAdministersButNeverUses',
            principals: [new AccountRootPrincipal()],
            actions: [...ADMINISTRATION, ...(props.keepState ? [] : DESTRUCTION)],
            resources: ['*'],
          }),
          ...onlyThese('OnlyTheseMake', props.makers, 'kms:GenerateMac'),
          ...onlyThese('OnlyTheseCheck', props.checkers, 'kms:VerifyMac'),
        ],
      }),
    })
  }
}

/** One action for these roles; no statement where nobody has it. Named as principals, so that a role made again under the same name is another one. */
export function onlyThese(sid: string, roles: readonly IRole[], action: string): PolicyStatement[] {
  if (roles.length === 0) return []
  const principals = roles.map((role) => new ArnPrincipal(role.roleArn))
  return [new PolicyStatement({ sid, principals, actions: [action], resources: ['*'] })]
}
