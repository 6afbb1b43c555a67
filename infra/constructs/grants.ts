import { ArnFormat, Stack } from 'aws-cdk-lib'
import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import type { IConstruct } from 'constructs'
import { DATABASE_USERS, macVariable, SIGNING_PURPOSES, type SigningPurpose, signVariable, trustVariable } from '../../layers/core/names.ts'
import type { StageConfig } from '../config.ts'
import { ALL, type Permission } from '../permissions.ts'
import type { StateStack } from '../state-stack.ts'
import type { SignInProvider } from './approver-directory.ts'
import type { StateTable } from './state-table.ts'

/** What lives beside the state: known by name only, so that no resource has to wait for another. */
export type Neighbours = {
  state: StateStack
  config: StageConfig
  anchorFunctionArn: string
  stateMachineArns: readonly string[]
  /** The cluster that workers run in. */
  cluster: { name: string; arn: string }
  publicUrl: string
  /** Null: approvers are known by their link alone. */
  signIn: SignInProvider | null
}

const PROJECTS = { read: ['dynamodb:GetItem'], write: ['dynamodb:GetItem', 'dynamodb:PutItem'] }
/** Append is a transaction of PutItem and ConditionCheckItem. UpdateItem, DeleteItem and BatchWriteItem are granted to nobody. */
const AUDIT = { read: ['dynamodb:Query'], append: ['dynamodb:Query', 'dynamodb:PutItem', 'dynamodb:ConditionCheckItem'] }
const APPROVALS = {
  ask: ['dynamodb:GetItem', 'dynamodb:Query', 'dynamodb:PutItem'],
  read: ['dynamodb:GetItem', 'dynamodb:Query'],
  decide: ['dynamodb:GetItem', 'dynamodb:Query', 'dynamodb:UpdateItem', 'dynamodb:PutItem', 'dynamodb:ConditionCheckItem'],
}

/** One conditional update takes, renews or gives back a lease. */
const LEASES = ['dynamodb:GetItem', 'dynamodb:UpdateItem']

/** The IAM statements of one line of the permission table. */
export function statementsFor(scope: IConstruct, permission: Permission, { state, config, ...beside }: Neighbours): PolicyStatement[] {
  const stack = Stack.of(scope)
  const statements: PolicyStatement[] = []
  const allow = (actions: readonly string[], resources: readonly string[], conditions?: Record<string, unknown>) => {
    statements.push(
      new PolicyStatement({ actions: [...actions], resources: [...resources], ...(conditions === undefined ? {} : { conditions }) }),
    )
  }
  const tableArns = ({ table, indexes }: StateTable) => [table.tableArn, ...indexes.map((name) => `${table.tableArn}/index/${name}`)]
  const services = new Set<string>()

  if (permission.projects !== undefined) allow(PROJECTS[permission.projects], tableArns(state.projects))
  if (permission.lists === true) allow(['dynamodb:Scan'], [state.projects.table.tableArn])
  if (permission.audit !== undefined) allow(AUDIT[permission.audit], tableArns(state.audit))
  if (permission.approvals !== undefined) allow(APPROVALS[permission.approvals], tableArns(state.approvals))
  // A row is written over itself, and read by whoever watches: no function reads any.
  if (permission.progress === true) allow(['dynamodb:PutItem'], [state.progress.table.tableArn])
  if (
    permission.projects !== undefined ||
    permission.audit !== undefined ||
    permission.approvals !== undefined ||
    permission.progress === true
  )
    services.add('dynamodb')
  if (permission.leases === true) allow(LEASES, tableArns(state.leases))

  const { evidence } = state
  const objects = (names: readonly string[]) =>
    names.includes(ALL) ? [evidence.objects('projects/*')] : names.map((name) => evidence.objects(`projects/*/${name}/*`))
  const reads = [...(permission.reads ?? []), ...(permission.writes ?? [])]
  if (reads.length > 0) {
    services.add('s3')
    allow(['s3:GetObject', 's3:GetObjectVersion'], objects(reads))
    // Without it S3 answers 403 instead of 404 for an artifact that is not there yet.
    allow(['s3:ListBucket'], [evidence.arn])
  }
  if (permission.writes !== undefined) allow(['s3:PutObject'], objects(permission.writes))

  if (services.size > 0)
    allow(
      [
        'kms:Decrypt',
        'kms:DescribeKey',
        'kms:Encrypt',
        'kms:GenerateDataKey',
        'kms:GenerateDataKeyWithoutPlaintext',
        'kms:ReEncryptFrom',
        'kms:ReEncryptTo',
      ],
      [state.dataKey.key.keyArn],
      // The data key only as tables and bucket use it, never directly.
      { StringEquals: { 'kms:ViaService': [...services].sort().map((service) => `${service}.${stack.region}.amazonaws.com`) } },
    )
  // A task token is sealed by who asks, and opened only by who answers.
  if (permission.approvals === 'ask') allow(['kms:Encrypt'], [state.tokenKey.key.keyArn])
  if (permission.approvals === 'decide') allow(['kms:Decrypt'], [state.tokenKey.key.keyArn])

  const keyArn = (purpose: SigningPurpose) => state.signingKeys[purpose].key.keyArn
  if (permission.signs !== undefined)
    allow(['kms:Sign'], [keyArn(permission.signs)], {
      StringEquals: { 'kms:MessageType': 'DIGEST', 'kms:SigningAlgorithm': 'ECDSA_SHA_256' },
    })
  if (permission.trusts === true) allow(['kms:GetPublicKey'], SIGNING_PURPOSES.map(keyArn))
  else if (permission.signs !== undefined) allow(['kms:GetPublicKey'], [keyArn(permission.signs)])

  const macKeys = (purposes: Permission['makes'] = []) => purposes.map((purpose) => state.macKeys[purpose].key.keyArn)
  if (permission.makes !== undefined) allow(['kms:GenerateMac'], macKeys(permission.makes))
  if (permission.checks !== undefined) allow(['kms:VerifyMac'], macKeys(permission.checks))

  if (permission.anchors === true) allow(['lambda:InvokeFunction'], [beside.anchorFunctionArn])
  if (permission.stops === true) {
    const inCluster = { ArnEquals: { 'ecs:cluster': beside.cluster.arn } }
    // ListTasks has no resource of its own when it lists a whole cluster.
    allow(['ecs:ListTasks'], ['*'], inCluster)
    const tasks = stack.formatArn({ service: 'ecs', resource: 'task', resourceName: `${beside.cluster.name}/*` })
    allow(['ecs:DescribeTasks', 'ecs:StopTask'], [tasks], inCluster)
  }
  if (permission.tasks === true) allow(['states:SendTaskSuccess', 'states:SendTaskFailure'], beside.stateMachineArns)
  if (permission.mail === true)
    // Besides the sender's most specific identity SES asks about the identity's configuration set, and in its sandbox about each recipient's identity.
    // None of them is known here; the sender's address is, and whoever may send sends from no other.
    allow(
      ['ses:SendEmail'],
      ['identity', 'configuration-set'].map((resource) => stack.formatArn({ service: 'ses', resource, resourceName: '*' })),
      { StringEquals: { 'ses:FromAddress': config.mailFrom } },
    )

  const secrets = [
    ...(permission.mask === true ? [state.maskKey] : []),
    ...(permission.git === true ? [state.gitToken] : []),
    ...(permission.policy === true ? [state.policyInForce] : []),
  ]
  if (secrets.length > 0) {
    allow(
      ['secretsmanager:GetSecretValue'],
      secrets.map((secret) => secret.secretArn),
    )
    allow(['kms:Decrypt'], [state.dataKey.key.keyArn], {
      StringEquals: { 'kms:ViaService': `secretsmanager.${stack.region}.amazonaws.com` },
    })
  }
  if (permission.secrets !== undefined) {
    allow(['secretsmanager:GetSecretValue'], connectionSecretArns(scope, config, permission.secrets))
    if (config.iamDatabases.length > 0) allow(['rds-db:connect'], databaseUserArns(scope, config, permission.secrets))
  }
  return statements
}

/** ARNs of the database users that these kinds of credentials are. */
export function databaseUserArns(scope: IConstruct, config: StageConfig, kinds: NonNullable<Permission['secrets']>): string[] {
  return config.iamDatabases.flatMap((database) =>
    kinds.map((kind) =>
      Stack.of(scope).formatArn({
        service: 'rds-db',
        resource: 'dbuser',
        resourceName: `${database}/${DATABASE_USERS[kind]}`,
        arnFormat: ArnFormat.COLON_RESOURCE_NAME,
      }),
    ),
  )
}

/** ARNs of connection secrets. Secrets Manager ends every ARN with a dash and six random characters. */
export function connectionSecretArns(scope: IConstruct, config: StageConfig, kinds: NonNullable<Permission['secrets']>): string[] {
  const name = { source: 'source/*', 'target-reader': 'target/*/reader-??????', 'target-writer': 'target/*/writer-??????' }
  return kinds.map((kind) =>
    Stack.of(scope).formatArn({
      service: 'secretsmanager',
      resource: 'secret',
      resourceName: `waybill/${config.stage}/${name[kind]}`,
      arnFormat: ArnFormat.COLON_RESOURCE_NAME,
    }),
  )
}

/** Environment variables of one line of the permission table: where the things are that it may use. */
export function environmentFor(permission: Permission, { state, config, ...beside }: Neighbours): Record<string, string> {
  const key = (purpose: SigningPurpose) => state.signingKeys[purpose].key.keyArn
  const touchesEvidence = permission.reads !== undefined || permission.writes !== undefined
  return {
    WAYBILL_STAGE: config.stage,
    ...(permission.projects && { WAYBILL_PROJECTS_TABLE: state.projects.table.tableName }),
    ...(permission.audit && { WAYBILL_AUDIT_TABLE: state.audit.table.tableName }),
    ...(permission.approvals && { WAYBILL_APPROVALS_TABLE: state.approvals.table.tableName, WAYBILL_TOKEN_KEY: state.tokenKey.key.keyArn }),
    ...(permission.progress && { WAYBILL_PROGRESS_TABLE: state.progress.table.tableName }),
    ...(permission.stops && { WAYBILL_CLUSTER: beside.cluster.name }),
    ...(permission.leases && { WAYBILL_LEASES_TABLE: state.leases.table.tableName }),
    ...(permission.nights && { WAYBILL_TIME_ZONE: config.nightly.timeZone }),
    ...(permission.nights && config.nightly.offPeak && { WAYBILL_OFF_PEAK: `${config.nightly.offPeak.from}-${config.nightly.offPeak.to}` }),
    ...(touchesEvidence && { WAYBILL_EVIDENCE_BUCKET: state.evidence.bucket.bucketName }),
    ...(touchesEvidence && config.evidence.refuseLongerRetention && { WAYBILL_RETENTION_DAYS: String(config.evidence.days) }),
    ...(permission.signs && { [signVariable(permission.signs)]: key(permission.signs) }),
    ...(permission.trusts && Object.fromEntries(SIGNING_PURPOSES.map((purpose) => [trustVariable(purpose), key(purpose)]))),
    ...(permission.anchors && { WAYBILL_ANCHOR_FUNCTION: beside.anchorFunctionArn }),
    ...(permission.mail && { WAYBILL_MAIL_FROM: config.mailFrom }),
    ...Object.fromEntries((permission.makes ?? []).map((purpose) => [macVariable('MAKE', purpose), state.macKeys[purpose].key.keyArn])),
    ...Object.fromEntries((permission.checks ?? []).map((purpose) => [macVariable('CHECK', purpose), state.macKeys[purpose].key.keyArn])),
    // Links lead there, and forms come from there.
    ...((permission.makes || permission.checks) && {
      WAYBILL_PUBLIC_URL: beside.publicUrl,
      WAYBILL_LINK_GENERATION: String(config.linkGeneration),
    }),
    ...(permission.checks?.includes('page') &&
      beside.signIn && { WAYBILL_OIDC_ISSUER: beside.signIn.issuer, WAYBILL_OIDC_CLIENT_ID: beside.signIn.clientId }),
    ...(permission.mask && { WAYBILL_MASK_KEY_SECRET: state.maskKey.secretArn }),
    ...(permission.policy && { WAYBILL_POLICY_IN_FORCE_SECRET: state.policyInForce.secretArn }),
    ...(permission.git && { WAYBILL_GIT_REPOSITORY: config.git.repository, WAYBILL_GIT_TOKEN_SECRET: state.gitToken.secretArn }),
    ...(permission.secrets && {
      WAYBILL_SECRETS_PREFIX: `waybill/${config.stage}`,
      WAYBILL_TARGET_ACCESS: permission.secrets.includes('target-writer') ? 'writer' : 'reader',
    }),
  }
}
