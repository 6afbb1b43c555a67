import { AccountRootPrincipal, ArnPrincipal, type IRole, PolicyStatement } from 'aws-cdk-lib/aws-iam'

/** What the account may do with a key besides using it. No CreateGrant: a grant would hand out Sign behind the key policy's back. */
const ADMINISTRATION = [
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
const DESTRUCTION = ['kms:DisableKey', 'kms:ScheduleKeyDeletion', 'kms:CancelKeyDeletion']

/** The account administers a key, as far as IAM says so; this lets nobody use it. */
export function administration(sid: string, { keepState, rotates = false }: { keepState: boolean; rotates?: boolean }): PolicyStatement {
  const actions = [...ADMINISTRATION, ...(rotates ? ['kms:EnableKeyRotation'] : []), ...(keepState ? [] : DESTRUCTION)]
  return new PolicyStatement({ sid, principals: [new AccountRootPrincipal()], actions, resources: ['*'] })
}

/** One action for these roles; no statement where nobody has it. Named as principals, so that a role made again under the same name is another one. */
export function onlyThese(sid: string, roles: readonly IRole[], action: string): PolicyStatement[] {
  if (roles.length === 0) return []
  const principals = roles.map((role) => new ArnPrincipal(role.roleArn))
  return [new PolicyStatement({ sid, principals, actions: [action], resources: ['*'] })]
}
