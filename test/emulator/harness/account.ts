import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { GetObjectCommand, PutObjectLockConfigurationCommand, S3Client } from '@aws-sdk/client-s3'
import { CreateSecretCommand, ListSecretsCommand, PutSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { CreateEmailIdentityCommand, SESv2Client } from '@aws-sdk/client-sesv2'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { dev } from '../../../infra/config.ts'
import { s3ArtifactStore } from '../../../layers/aws/artifact-store.ts'
import { dynamoAuditLog } from '../../../layers/aws/audit-log.ts'
import { systemClock } from '../../../layers/aws/clock.ts'
import { secretsManagerKeys } from '../../../layers/aws/keys.ts'
import type { ArtifactStore, AuditLog, Keys } from '../../../layers/core/ports.ts'
import type { Runner } from '../../../layers/local/asl/runner.ts'
import { gitHub } from '../../support/git-hub.ts'
import { type Deployment, deploy, deployAgain } from './deployment.ts'
import { ecs } from './ecs.ts'
import { lambda } from './lambda.ts'
import { type Emulator, startEmulator } from './ministack.ts'
import { startStepFunctions } from './step-functions.ts'

export const REPOSITORY = 'example/data-platform'
const GIT_TOKEN = 'a-token-that-may-not-merge'

/** An account with all of Waybill deployed in it, and what stands in for the services that the emulator lacks. */
export type Account = {
  emulator: Emulator
  /** The newest. */
  readonly deployment: Deployment
  runner: Runner
  /** The largest input, output or variables any state had so far, in bytes of JSON. */
  largestPayload(): { bytes: number; state: string }
  artifacts: ArtifactStore
  s3: S3Client
  bucket: string
  /** The key the stack generated. */
  keys: Keys
  github: Awaited<ReturnType<typeof gitHub>>
  workers: ReturnType<typeof ecs>
  machine(name: 'migration' | 'reconcile' | 'nightly'): string
  storeSecret(name: string, text: string): Promise<void>
  /** Puts a policy beside the app and deploys again, worker image and all, as docs/deploy.md has it. */
  deployPolicy(policy: object): Promise<void>
  audit: AuditLog
  close(): Promise<void>
}

/** `contained`: workers run as the image would have them, which takes root. */
export async function openAccount(context: readonly string[] = [], contained = false): Promise<Account> {
  const folder = mkdtempSync(join(tmpdir(), 'waybill-aws-'))
  for (const name of ['emulator', 'states']) mkdirSync(join(folder, name))
  const github = await gitHub(REPOSITORY, GIT_TOKEN)
  const states = await startStepFunctions(join(folder, 'states'))
  const emulator = await startEmulator(join(folder, 'emulator'), { stepFunctionsUrl: states.url, gitHubUrl: github.api })
  for (const [name, value] of Object.entries(emulator.env)) process.env[name] = value
  const close = async () => {
    await states.stop()
    await emulator.stop()
    await github.done()
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  }
  try {
    let deployment = await deploy(emulator, folder, context)
    const secrets = new SecretsManagerClient({})
    const { SecretList = [] } = await secrets.send(new ListSecretsCommand({}))
    const secretId = (name: RegExp) => SecretList.find(({ Name }) => name.test(Name ?? ''))!.ARN!
    await secrets.send(new PutSecretValueCommand({ SecretId: secretId(/GitToken/), SecretString: GIT_TOKEN }))

    const s3 = new S3Client({ forcePathStyle: true })
    const bucket = deployment.outputs.EvidenceBucketName!
    // CloudFormation's Object Lock is dropped by the emulator; the template is asserted in test/infra.
    await s3.send(
      new PutObjectLockConfigurationCommand({
        Bucket: bucket,
        ObjectLockConfiguration: { ObjectLockEnabled: 'Enabled', Rule: { DefaultRetention: { Mode: 'GOVERNANCE', Days: 1 } } },
      }),
    )
    // What a person does once by hand: docs/deploy.md.
    await new SESv2Client({}).send(new CreateEmailIdentityCommand({ EmailIdentity: dev.mailFrom }))
    const artifacts = s3ArtifactStore({ s3, bucket, retention: { by: 'bucket', days: null }, now: systemClock.now })
    const workers = ecs(emulator, deployment, folder, contained)
    const invoke = lambda(emulator)
    const runner = await states.install(emulator.url, {
      invoke: (name, payload) => invoke(name, payload),
      runWorker: ({ taskDefinition, environment, signal }) => workers.run(taskDefinition, environment, signal),
      async readItems({ Bucket, Key, VersionId }) {
        const object = await s3.send(new GetObjectCommand({ Bucket, Key, VersionId }))
        return object.Body!.transformToByteArray()
      },
      async writeResults() {
        throw new Error('No state machine writes results.')
      },
    })
    return {
      emulator,
      get deployment() {
        return deployment
      },
      runner,
      largestPayload: states.largestPayload,
      artifacts,
      s3,
      bucket,
      keys: secretsManagerKeys({ client: secrets, maskSecretId: () => secretId(/MaskKey/) }),
      github,
      workers,
      machine: (name) => `arn:aws:states:eu-central-1:000000000000:stateMachine:waybill-dev-${name}`,
      async storeSecret(Name, SecretString) {
        await secrets.send(new CreateSecretCommand({ Name, SecretString }))
      },
      async deployPolicy(policy) {
        writeFileSync(join(deployment.checkout, 'infra/policy.json'), JSON.stringify(policy, null, 2))
        deployment = await deployAgain(emulator, deployment, folder, context)
        workers.push(deployment.image)
        await states.takeDefinitions(emulator.url)
      },
      audit: dynamoAuditLog({ db: DynamoDBDocumentClient.from(new DynamoDBClient({})), table: deployment.outputs.AuditTableName! }),
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}
