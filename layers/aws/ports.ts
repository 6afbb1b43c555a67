import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { ECSClient } from '@aws-sdk/client-ecs'
import { KMSClient } from '@aws-sdk/client-kms'
import { LambdaClient } from '@aws-sdk/client-lambda'
import { S3Client } from '@aws-sdk/client-s3'
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { SESv2Client } from '@aws-sdk/client-sesv2'
import { SFNClient } from '@aws-sdk/client-sfn'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { WaybillError } from '../core/errors.ts'
import {
  MAC_PURPOSES,
  type MacPurpose,
  macVariable,
  oneEach,
  SIGNING_PURPOSES,
  type SigningPurpose,
  signVariable,
  trustVariable,
} from '../core/names.ts'
import { readNightSettings } from '../core/nights/off-peak.ts'
import type { Log, Ports, TrustRoot } from '../core/ports.ts'
import { lambdaAnchors } from './anchors.ts'
import { dynamoApprovalStore } from './approval-store.ts'
import { type Retention, s3ArtifactStore } from './artifact-store.ts'
import { dynamoAuditLog } from './audit-log.ts'
import { systemClock } from './clock.ts'
import { gitHubHost } from './git-host.ts'
import { randomIds } from './ids.ts'
import { secretsManagerKeys } from './keys.ts'
import { dynamoLeaseStore } from './lease-store.ts'
import { kmsMacChecker, kmsMacMaker } from './macs.ts'
import { sesNotifier } from './notifier.ts'
import { plotted } from './plotted.ts'
import { dynamoProgress } from './progress.ts'
import { dynamoProjectStore } from './project-store.ts'
import { secretsManagerSecrets, secretText } from './secrets.ts'
import { kmsSigner } from './signer.ts'
import { stepFunctionsTokens } from './task-tokens.ts'
import { kmsTokenSeal } from './token-seal.ts'
import { kmsTrustRoot } from './trust.ts'
import { ecsWorkers } from './workers.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/**
 * The value of an environment variable. The stack sets one only where the role may use what it names.
 * @throws PERMISSION_DENIED when it is not set
 */
export function variable(env: Environment, name: string): string {
  const value = env[name]
  if (value === undefined || value === '')
    throw new WaybillError(
      'PERMISSION_DENIED',
      `This function was not given ${name}. If it should have it, say so in infra/permissions.ts.`,
    )
  return value
}

/**
 * The trust root, or null where the stack gave this function none. Asynchronous, since KMS answers it; asked once, before the handler is made.
 */
export async function awsTrust(env: Environment): Promise<TrustRoot | null> {
  if (SIGNING_PURPOSES.every((purpose) => env[trustVariable(purpose)] === undefined)) return null
  const arns = (purpose: SigningPurpose) => (env[trustVariable(purpose)] ?? '').split(',').filter((arn) => arn !== '')
  return kmsTrustRoot(new KMSClient({}), oneEach(SIGNING_PURPOSES, arns))
}

/** Every port over AWS. Each is made at its first use and then kept; one that the stack did not configure throws PERMISSION_DENIED at first use. */
export function awsPorts(
  env: Environment,
  given: Pick<Ports, 'connectors' | 'policy' | 'signIn'> & { log: Log; trust: TrustRoot | null },
): Ports {
  const once = lazily({
    db: () => DynamoDBDocumentClient.from(new DynamoDBClient({}), { marshallOptions: { removeUndefinedValues: true } }),
    kms: () => new KMSClient({}),
    secretsManager: () => new SecretsManagerClient({}),
  })
  const need = (name: string) => variable(env, name)

  return lazily<Ports>({
    clock: () => systemClock,
    ids: () => randomIds,
    log: () => given.log,
    connectors: () => given.connectors,
    policy: () => given.policy,
    model: () => null,
    signIn: () => given.signIn,
    projects: () =>
      dynamoProjectStore({
        db: once.db,
        table: need('WAYBILL_PROJECTS_TABLE'),
        auditTable: () => need('WAYBILL_AUDIT_TABLE'),
      }),
    audit: () => dynamoAuditLog({ db: once.db, table: need('WAYBILL_AUDIT_TABLE') }),
    approvals: () =>
      dynamoApprovalStore({
        db: once.db,
        table: need('WAYBILL_APPROVALS_TABLE'),
        seal: kmsTokenSeal({ kms: once.kms, keyId: need('WAYBILL_TOKEN_KEY') }),
      }),
    leases: () => dynamoLeaseStore({ db: once.db, table: need('WAYBILL_LEASES_TABLE') }),
    nights: () => readNightSettings(need('WAYBILL_TIME_ZONE'), env.WAYBILL_OFF_PEAK),
    artifacts: () =>
      s3ArtifactStore({ s3: new S3Client({}), bucket: need('WAYBILL_EVIDENCE_BUCKET'), retention: retentionOf(env), now: systemClock.now }),
    signers: () => byPurpose(SIGNING_PURPOSES, (purpose) => kmsSigner({ kms: once.kms, keyArn: need(signVariable(purpose)) })),
    trust: () => {
      if (given.trust === null)
        throw new WaybillError('PERMISSION_DENIED', 'This function was given no trust root. See infra/permissions.ts.')
      return given.trust
    },
    tasks: () => stepFunctionsTokens({ sfn: new SFNClient({}) }),
    notifier: () => sesNotifier({ ses: new SESv2Client({}), from: need('WAYBILL_MAIL_FROM') }),
    secrets: () =>
      secretsManagerSecrets({
        client: once.secretsManager,
        prefix: need('WAYBILL_SECRETS_PREFIX'),
        targetAccess: env.WAYBILL_TARGET_ACCESS === 'writer' ? 'writer' : 'reader',
      }),
    keys: () => secretsManagerKeys({ client: once.secretsManager, maskSecretId: () => need('WAYBILL_MASK_KEY_SECRET') }),
    macMakers: () =>
      byPurpose(MAC_PURPOSES, (purpose) =>
        kmsMacMaker({ kms: once.kms, keyArn: need(macVariable('MAKE', purpose)), ...generationOf(env, purpose) }),
      ),
    macCheckers: () =>
      byPurpose(MAC_PURPOSES, (purpose) =>
        kmsMacChecker({ kms: once.kms, keyArn: need(macVariable('CHECK', purpose)), ...generationOf(env, purpose) }),
      ),
    anchors: () => lambdaAnchors({ lambda: new LambdaClient({}), functionName: need('WAYBILL_ANCHOR_FUNCTION') }),
    progress: () => plotted(dynamoProgress({ db: once.db, table: need('WAYBILL_PROGRESS_TABLE') }), given.log),
    workers: () => ecsWorkers({ ecs: new ECSClient({}), cluster: need('WAYBILL_CLUSTER') }),
    git: () =>
      gitHubHost({
        repository: need('WAYBILL_GIT_REPOSITORY'),
        token: () => secretText(once.secretsManager, need('WAYBILL_GIT_TOKEN_SECRET')),
        fetch: globalThis.fetch,
      }),
    publicUrl: () => need('WAYBILL_PUBLIC_URL').replace(/\/+$/, ''),
  })
}

function retentionOf(env: Environment): Retention {
  const days = env.WAYBILL_RETENTION_DAYS
  return { by: 'bucket', days: days === undefined ? null : Number.parseInt(days, 10) }
}

/** Only what lies in mailboxes has generations: forms and sessions end within hours, and names of people must last. */
function generationOf(env: Environment, purpose: MacPurpose): { generation?: string } {
  const generation = env.WAYBILL_LINK_GENERATION
  return generation === undefined || !purpose.endsWith('Link') ? {} : { generation }
}

function byPurpose<P extends string, T>(purposes: readonly P[], make: (purpose: P) => T): Record<P, T> {
  return lazily<Record<P, T>>(oneEach(purposes, (purpose) => () => make(purpose)))
}

/** An object whose values are made when first read. A maker that throws is asked again at the next read. */
function lazily<T extends object>(makers: { [K in keyof T]: () => T[K] }): T {
  const made = new Map<PropertyKey, unknown>()
  const target = {}
  for (const name of Object.keys(makers) as (keyof T & string)[])
    Object.defineProperty(target, name, {
      enumerable: true,
      get: () => {
        if (!made.has(name)) made.set(name, makers[name]())
        return made.get(name)
      },
    })
  return target as T
}
