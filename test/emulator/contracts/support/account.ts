import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CreateTableCommand, type CreateTableCommandInput, DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { CreateKeyCommand, type CreateKeyCommandInput, KMSClient } from '@aws-sdk/client-kms'
import {
  CreateBucketCommand,
  PutBucketVersioningCommand,
  type PutBucketVersioningCommandInput,
  PutObjectLockConfigurationCommand,
  type PutObjectLockConfigurationCommandInput,
  S3Client,
} from '@aws-sdk/client-s3'
import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { awsPorts, awsTrust } from '../../../../layers/aws/ports.ts'
import { connectors } from '../../../../layers/connectors/index.ts'
import type { MacPurpose } from '../../../../layers/core/names.ts'
import type { Log, Ports } from '../../../../layers/core/ports.ts'
import { defaultPolicy } from '../../../../layers/core/rulebooks.ts'
import { type Emulator, startEmulator } from '../../harness/ministack.ts'
import { type Templates, templates } from './templates.ts'

type Purpose = 'PlanKey' | 'ApprovalKey' | 'EvidenceKey' | 'AnchorKey' | 'DataKey' | 'TokenKey' | `${Capitalize<MacPurpose>}MacKey`

/** An emulated account that has nothing in it yet, and what makes things in it as the templates do. */
export type EmptyAccount = {
  emulator: Emulator
  templates: Templates
  /** The ports as a function gets them from its environment: clients, adapters and all. New ones at each call, as in another process. */
  ports(env: Readonly<Record<string, string>>): Promise<Ports>
  /** @returns the name of a new table */
  table(id: 'Projects' | 'Audit' | 'Approvals' | 'Progress' | 'Leases'): Promise<string>
  /** @returns the name of a new bucket with the template's versioning and lock */
  bucket(): Promise<string>
  /** @returns ARN of a new key */
  key(id: Purpose): Promise<string>
  /** A secret the stack generates. @returns its ARN */
  generated(id: 'MaskKey'): Promise<string>
  close(): Promise<void>
}

const quiet: Log = { info() {}, warn() {}, error() {} }
const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789'

/** Sets this process's environment so that every client made from here on talks to the emulator. */
export async function openEmptyAccount(): Promise<EmptyAccount> {
  const folder = mkdtempSync(join(tmpdir(), 'waybill-contracts-'))
  const emulator = await startEmulator(folder, { stepFunctionsUrl: '', gitHubUrl: '' })
  const { AWS_ENDPOINT_URL_SFN: _, ...env } = emulator.env
  for (const [name, value] of Object.entries(env)) process.env[name] = value
  const made = templates()
  let n = 0
  const fresh = (kind: string) => `${kind}-${process.pid}-${n++}`

  return {
    emulator,
    templates: made,
    async ports(given) {
      return awsPorts(given, { connectors, policy: defaultPolicy, signIn: null, log: quiet, trust: await awsTrust(given) })
    },
    async table(id) {
      const { AttributeDefinitions, BillingMode, KeySchema, GlobalSecondaryIndexes } = made.properties('AWS::DynamoDB::Table', id)
      const TableName = fresh(id)
      const shape = { AttributeDefinitions, BillingMode, KeySchema, GlobalSecondaryIndexes } as unknown as CreateTableCommandInput
      await new DynamoDBClient({}).send(new CreateTableCommand({ ...shape, TableName }))
      return TableName
    },
    async bucket() {
      const properties = made.properties('AWS::S3::Bucket', 'EvidenceBucket')
      const Bucket = fresh('evidence')
      const s3 = new S3Client({})
      await s3.send(new CreateBucketCommand({ Bucket, ObjectLockEnabledForBucket: properties.ObjectLockEnabled as boolean }))
      const versioning = properties.VersioningConfiguration as PutBucketVersioningCommandInput['VersioningConfiguration']
      await s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: versioning }))
      const lock = properties.ObjectLockConfiguration as PutObjectLockConfigurationCommandInput['ObjectLockConfiguration']
      await s3.send(new PutObjectLockConfigurationCommand({ Bucket, ObjectLockConfiguration: lock }))
      return Bucket
    },
    async key(id) {
      const { KeySpec, KeyUsage } = made.properties('AWS::KMS::Key', id) as Pick<CreateKeyCommandInput, 'KeySpec' | 'KeyUsage'>
      const { KeyMetadata } = await new KMSClient({}).send(new CreateKeyCommand({ KeySpec, KeyUsage }))
      return KeyMetadata!.Arn!
    },
    async generated(id) {
      const { GenerateSecretString } = made.properties('AWS::SecretsManager::Secret', id) as {
        GenerateSecretString: { PasswordLength: number; ExcludePunctuation: boolean }
      }
      if (!GenerateSecretString.ExcludePunctuation) throw new Error('A generated secret is letters and digits.')
      const text = Array.from(crypto.getRandomValues(new Uint8Array(GenerateSecretString.PasswordLength)), (byte) => LETTERS[byte % 62])
      const { ARN } = await new SecretsManagerClient({}).send(new CreateSecretCommand({ Name: fresh(id), SecretString: text.join('') }))
      return ARN!
    },
    async close() {
      await emulator.stop()
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}
