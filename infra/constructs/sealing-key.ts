import { RemovalPolicy, Stack } from 'aws-cdk-lib'
import { AccountRootPrincipal, PolicyDocument, PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { Key } from 'aws-cdk-lib/aws-kms'
import { Construct } from 'constructs'
import { administration } from './key-policy.ts'

/** A symmetric, rotated key. Who uses it is said by IAM, role by role; grants are for AWS services (DynamoDB) only. */
export class SealingKey extends Construct {
  readonly key: Key

  constructor(scope: Construct, id: string, props: { keepState: boolean }) {
    super(scope, id)
    const root = new AccountRootPrincipal()
    this.key = new Key(this, 'Key', {
      alias: `waybill/${Stack.of(this).stackName}/data`,
      description: 'Waybill: encrypts evidence and tables',
      enableKeyRotation: true,
      removalPolicy: props.keepState ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
      policy: new PolicyDocument({
        statements: [
          administration('AccountAdministers', { ...props, rotates: true }),
          new PolicyStatement({
            sid: 'AccountUsesAsIamSays',
            principals: [root],
            actions: [
              'kms:Encrypt',
              'kms:Decrypt',
              'kms:GenerateDataKey',
              'kms:GenerateDataKeyWithoutPlaintext',
              'kms:ReEncryptFrom',
              'kms:ReEncryptTo',
            ],
            resources: ['*'],
          }),
          new PolicyStatement({
            sid: 'ServicesTakeGrants',
            principals: [root],
            actions: ['kms:CreateGrant'],
            resources: ['*'],
            conditions: { Bool: { 'kms:GrantIsForAWSResource': 'true' } },
          }),
        ],
      }),
    })
  }
}
