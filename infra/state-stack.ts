import { existsSync, readFileSync } from 'node:fs'
import { SecretValue, Stack, type StackProps } from 'aws-cdk-lib'
import { AttributeType } from 'aws-cdk-lib/aws-dynamodb'
import { Repository, RepositoryEncryption, TagMutability } from 'aws-cdk-lib/aws-ecr'
import type { Role } from 'aws-cdk-lib/aws-iam'
import { Secret } from 'aws-cdk-lib/aws-secretsmanager'
import type { Construct } from 'constructs'
import { MAC_PURPOSES, type MacPurpose, oneEach, SIGNING_PURPOSES, type SigningPurpose } from '../layers/core/names.ts'
import { DEPLOYED_POLICY, SHIPPED_POLICY } from './build.ts'
import type { StageConfig } from './config.ts'
import { accept } from './constructs/accepted.ts'
import { ApproverDirectory } from './constructs/approver-directory.ts'
import { EvidenceBucket } from './constructs/evidence-bucket.ts'
import { functionRole } from './constructs/function-role.ts'
import { keptOnceCreated } from './constructs/kept.ts'
import { MacKey } from './constructs/mac-key.ts'
import { MailIdentity } from './constructs/mail-identity.ts'
import { publish } from './constructs/outputs.ts'
import { SealingKey } from './constructs/sealing-key.ts'
import { SigningKey } from './constructs/signing-key.ts'
import { StateTable } from './constructs/state-table.ts'
import { TokenKey } from './constructs/token-key.ts'
import { FUNCTIONS, type LambdaFunction, type Permission } from './permissions.ts'

/** What must survive every deployment: keys, evidence, tables, secrets, the image repository; and the roles that key policies name. */
export class StateStack extends Stack {
  readonly dataKey: SealingKey
  readonly tokenKey: TokenKey
  readonly signingKeys: Record<SigningPurpose, SigningKey>
  readonly macKeys: Record<MacPurpose, MacKey>
  /** Roles that key policies name: of functions that sign, make or check MACs, seal or open task tokens. They lie here since a key policy can name only roles that exist. */
  readonly keyRoles: ReadonlyMap<LambdaFunction, Role>
  readonly evidence: EvidenceBucket
  readonly projects: StateTable
  readonly audit: StateTable
  readonly approvals: StateTable
  readonly progress: StateTable
  readonly leases: StateTable
  readonly maskKey: Secret
  readonly gitToken: Secret
  /** The policy of this deployment, as a document: workers of earlier ones read it, and stop. */
  readonly policyInForce: Secret
  readonly images: Repository
  /** Null where approvers sign in elsewhere, or not at all. */
  readonly directory: ApproverDirectory | null

  constructor(scope: Construct, id: string, props: StackProps & { config: StageConfig }) {
    super(scope, id, props)
    const { config } = props
    const { keepState } = config

    this.dataKey = new SealingKey(this, 'DataKey', { keepState })

    const functions = Object.keys(FUNCTIONS) as LambdaFunction[]
    const signers = functions.filter((name) => FUNCTIONS[name].signs !== undefined)
    const named = functions.filter((name) => {
      const { makes, checks, approvals } = FUNCTIONS[name]
      return signers.includes(name) || makes || checks || approvals === 'ask' || approvals === 'decide'
    })
    this.keyRoles = new Map(named.map((name) => [name, functionRole(this, name)]))
    const rolesThat = (may: (permission: Permission) => boolean | undefined) =>
      named.filter((name) => may(FUNCTIONS[name])).map((name) => this.keyRoles.get(name)!)
    const usersOf = oneEach(MAC_PURPOSES, (purpose) => ({
      makers: rolesThat(({ makes }) => makes?.includes(purpose)),
      checkers: rolesThat(({ checks }) => checks?.includes(purpose)),
    }))
    const macKey = (purpose: MacPurpose) =>
      new MacKey(this, `${purpose[0]?.toUpperCase()}${purpose.slice(1)}MacKey`, { purpose, ...usersOf[purpose], keepState })
    this.macKeys = oneEach(MAC_PURPOSES, macKey)
    const tokenUsers = {
      sealers: rolesThat(({ approvals }) => approvals === 'ask'),
      openers: rolesThat(({ approvals }) => approvals === 'decide'),
    }
    this.tokenKey = new TokenKey(this, 'TokenKey', { ...tokenUsers, keepState })
    const signingKey = (purpose: SigningPurpose) =>
      new SigningKey(this, `${purpose[0]?.toUpperCase()}${purpose.slice(1)}Key`, {
        purpose,
        signers: signers.filter((name) => FUNCTIONS[name].signs === purpose).map((name) => this.keyRoles.get(name)!),
        keepState,
      })
    this.signingKeys = oneEach(SIGNING_PURPOSES, signingKey)

    this.evidence = new EvidenceBucket(this, 'Evidence', { key: this.dataKey.key, config })

    const text = (name: string) => ({ name, type: AttributeType.STRING })
    const common = { key: this.dataKey.key, keepState }
    this.projects = new StateTable(this, 'Projects', { ...common, partitionKey: text('project_id') })
    this.audit = new StateTable(this, 'Audit', {
      ...common,
      partitionKey: text('project_id'),
      sortKey: { name: 'seq', type: AttributeType.NUMBER },
    })
    this.approvals = new StateTable(this, 'Approvals', {
      ...common,
      partitionKey: text('pk'),
      sortKey: text('sk'),
      indexes: [
        { name: 'outbox', partitionKey: text('outbox'), holds: ['group_id'] },
        { name: 'by-project', partitionKey: text('asked_in'), holds: ['body'] },
      ],
    })

    this.progress = new StateTable(this, 'Progress', {
      ...common,
      keepState: false,
      partitionKey: text('project_id'),
      sortKey: text('task'),
      expires: 'expires_at',
    })
    this.leases = new StateTable(this, 'Leases', { ...common, partitionKey: text('project_id') })

    this.maskKey = this.generated('MaskKey', 'HMAC key that masks values in evidence', config)
    this.gitToken = this.generated('GitToken', 'Token of the git host: replace the generated text by a token that cannot merge', config)

    this.policyInForce = new Secret(this, 'PolicyInForce', {
      description: `Waybill ${config.stage}: the policy in force; no secret, but kept where workers without a way out can read it`,
      encryptionKey: this.dataKey.key,
      secretStringValue: SecretValue.unsafePlainText(readFileSync(existsSync(DEPLOYED_POLICY) ? DEPLOYED_POLICY : SHIPPED_POLICY, 'utf8')),
      removalPolicy: keptOnceCreated(config),
    })
    accept(this.policyInForce, 'AwsSolutions-SMG4', 'It holds a policy, which a deployment changes and nothing rotates.')

    this.directory =
      config.signIn !== null && 'directory' in config.signIn
        ? new ApproverDirectory(this, 'Approvers', { domainPrefix: config.signIn.directory.domainPrefix, keepState })
        : null
    if (config.mailIdentity.create) new MailIdentity(this, 'MailIdentity', { name: config.mailIdentity.name })

    this.images = new Repository(this, 'WorkerImages', {
      repositoryName: `waybill-worker-${config.stage}`,
      encryption: RepositoryEncryption.AES_256,
      imageScanOnPush: true,
      imageTagMutability: TagMutability.IMMUTABLE,
      emptyOnDelete: !keepState,
      removalPolicy: keptOnceCreated(config),
    })

    const signersOf = (purpose: SigningPurpose) =>
      signers
        .filter((name) => FUNCTIONS[name].signs === purpose)
        .map((name) => this.keyRoles.get(name)!.roleArn)
        .join(',')
    const arnsOf = (roles: readonly Role[]) => roles.map((role) => role.roleArn)
    const macKeyUsers = oneEach(MAC_PURPOSES, (purpose) => ({
      key: this.macKeys[purpose].key.keyArn,
      makers: arnsOf(usersOf[purpose].makers),
      checkers: arnsOf(usersOf[purpose].checkers),
    }))
    const tokenKeyUsers = { key: this.tokenKey.key.keyArn, sealers: arnsOf(tokenUsers.sealers), openers: arnsOf(tokenUsers.openers) }
    publish(this, {
      EvidenceBucketName: this.evidence.bucket.bucketName,
      EvidenceLock: config.evidence.lock,
      EvidenceDays: String(config.evidence.days),
      ProjectsTableName: this.projects.table.tableName,
      AuditTableName: this.audit.table.tableName,
      ApprovalsTableName: this.approvals.table.tableName,
      ProgressTableName: this.progress.table.tableName,
      PlanKeyArn: this.signingKeys.plan.key.keyArn,
      ApprovalKeyArn: this.signingKeys.approval.key.keyArn,
      EvidenceKeyArn: this.signingKeys.evidence.key.keyArn,
      AnchorKeyArn: this.signingKeys.anchor.key.keyArn,
      PlanSignerArns: signersOf('plan'),
      ApprovalSignerArns: signersOf('approval'),
      EvidenceSignerArns: signersOf('evidence'),
      AnchorSignerArns: signersOf('anchor'),
      MacKeyUsers: this.toJsonString(macKeyUsers),
      TokenKeyUsers: this.toJsonString(tokenKeyUsers),
      DataKeyArn: this.dataKey.key.keyArn,
      GitTokenArn: this.gitToken.secretArn,
      WorkerRepositoryName: this.images.repositoryName,
      SecretsPrefix: `waybill/${config.stage}`,
    })
  }

  /** 64 characters of letters and digits: more than 256 random bits. */
  private generated(id: string, description: string, config: StageConfig): Secret {
    const secret = new Secret(this, id, {
      description: `Waybill ${config.stage}: ${description}`,
      encryptionKey: this.dataKey.key,
      generateSecretString: { passwordLength: 64, excludePunctuation: true },
      removalPolicy: keptOnceCreated(config),
    })
    accept(
      secret,
      'AwsSolutions-SMG4',
      'Rotating the mask key breaks comparison with earlier evidence; docs/runbook.md says when to do it by hand. The git token is rotated at its host.',
    )
    return secret
  }
}
