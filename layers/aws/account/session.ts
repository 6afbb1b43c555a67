import { CloudFormationClient } from '@aws-sdk/client-cloudformation'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { KMSClient } from '@aws-sdk/client-kms'
import { S3Client } from '@aws-sdk/client-s3'
import { SFNClient } from '@aws-sdk/client-sfn'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { isWaybillError, WaybillError } from '../../core/errors.ts'
import { asWaybillError, sdkErrorName } from '../sdk-errors.ts'

/** Which account and region: a profile of ~/.aws/config, and a region where the profile or the environment names none. */
export type SessionOptions = { profile?: string; region?: string }

/** What every client of one person's session is made with. */
export type ClientConfig = { profile?: string; region: string; maxAttempts: number }

/** The clients of a person at a terminal, with that person's own permissions. */
export type Session = {
  region: string
  /** For clients that only `waybill doctor` needs. */
  config: ClientConfig
  cloudFormation: CloudFormationClient
  db: DynamoDBDocumentClient
  kms: KMSClient
  s3: S3Client
  sfn: SFNClient
}

/** @throws BAD_INPUT without a region, PERMISSION_DENIED without credentials: before anything is asked of AWS */
export async function openSession({ profile, region }: SessionOptions): Promise<Session> {
  const named = profile === undefined ? {} : { profile }
  const first = new CloudFormationClient({ ...named, ...(region === undefined ? {} : { region }) })
  const where = await first.config.region().catch((cause: unknown) => {
    throw new WaybillError('BAD_INPUT', 'No AWS region is set. Add --region, or set AWS_REGION, or give the profile a region.', { cause })
  })
  await first.config.credentials().catch((cause: unknown) => {
    throw new WaybillError(
      'PERMISSION_DENIED',
      profile === undefined
        ? 'There are no AWS credentials here. Sign in (aws sso login, or whatever your organisation uses), or name a profile: --profile NAME.'
        : `The profile ${profile} gives no AWS credentials. Is it in ~/.aws/config, and are you signed in (aws sso login --profile ${profile})?`,
      { cause },
    )
  })
  const config = { ...named, region: where, maxAttempts: 4 }
  return {
    region: where,
    config,
    cloudFormation: new CloudFormationClient(config),
    db: DynamoDBDocumentClient.from(new DynamoDBClient(config), { marshallOptions: { removeUndefinedValues: true } }),
    kms: new KMSClient(config),
    s3: new S3Client(config),
    sfn: new SFNClient(config),
  }
}

const NOT_SIGNED_IN = new Set([
  'ExpiredToken',
  'ExpiredTokenException',
  'InvalidClientTokenId',
  'UnrecognizedClientException',
  'InvalidAccessKeyId',
  'InvalidSignatureException',
  'SignatureDoesNotMatch',
  'AuthFailure',
])
const UNREACHABLE = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|TimeoutError/

/** What a failure means to the person at the terminal. The SDK's own sentence is never shown: it may quote a request. */
export function asSessionError(error: unknown, doing: string, region: string): WaybillError {
  if (isWaybillError(error)) return error
  const name = sdkErrorName(error)
  const code = String((error as { code?: unknown }).code ?? '')
  if (NOT_SIGNED_IN.has(name))
    return new WaybillError('PERMISSION_DENIED', `${doing}: AWS does not accept the credentials (${name}). Sign in again.`, {
      cause: error,
    })
  if (UNREACHABLE.test(`${name} ${code}`))
    return new WaybillError(
      'CONNECTION_FAILED',
      `${doing}: AWS cannot be reached in the region ${region} (${code || name}). Is that the name of a region, and is there a network?`,
      { cause: error },
    )
  return asWaybillError(error, doing)
}
