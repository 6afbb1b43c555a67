import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { secretsManagerSecrets } from '../../layers/aws/secrets.ts'
import { type StoreUnderTest, secretStoreContract } from '../contracts/secret-store.ts'
import { type Answered, type Asked, storeServer } from '../secret-stores/store-server.ts'

const SOURCE = 'postgres://reader:canary-source@db/legacy'
const WRITER = 'postgres://writer:canary-writer@db/target'

const error = (status: number, type: string): Answered => ({ status, json: { __type: type, message: `about ${SOURCE}` } })

/** GetSecretValue as Secrets Manager speaks it (JSON 1.1). */
function answer({ method, headers, body }: Asked): Answered {
  if (method !== 'POST' || headers['x-amz-target'] !== 'secretsmanager.GetSecretValue') return error(400, 'UnknownOperationException')
  if (!/^AWS4-HMAC-SHA256 Credential=AKIDTEST\//.test(headers.authorization ?? '')) return error(403, 'UnrecognizedClientException')
  const { SecretId: id } = JSON.parse(body) as { SecretId: string }
  const held = (SecretString: string | undefined): Answered => ({
    status: 200,
    json: { ARN: `arn:${id}`, Name: id, SecretString, VersionId: 'v1' },
  })
  if (id === 'waybill/prod/source/erp') return held(SOURCE)
  if (id === 'waybill/prod/target/dw/writer') return held(WRITER)
  if (id === 'waybill/prod/source/binary') return held(undefined)
  if (id === 'waybill/prod/source/leaving') return error(400, 'InvalidRequestException')
  if (id === 'waybill/prod/source/locked') return error(400, 'DecryptionFailure')
  if (id === 'waybill/prod/source/theirs') return error(400, 'AccessDeniedException')
  return error(400, 'ResourceNotFoundException')
}

const make = async (): Promise<StoreUnderTest> => {
  const server = await storeServer(SOURCE, answer)
  const client = new SecretsManagerClient({
    endpoint: server.url,
    region: 'eu-west-1',
    credentials: { accessKeyId: 'AKIDTEST', secretAccessKey: 'canary-access-key' },
    requestHandler: { requestTimeout: 1500, throwOnRequestTimeout: true },
  })
  const ref = (name: string) => `aws-secretsmanager://waybill/prod/${name}`
  return {
    server,
    secrets: secretsManagerSecrets({ client, prefix: 'waybill/prod', targetAccess: 'writer' }),
    known: [
      [ref('source/erp'), SOURCE],
      ['aws-sm://waybill/prod/source/erp', SOURCE],
      [ref('target/dw'), WRITER],
    ],
    absent: [ref('source/none'), ref('source/binary'), ref('source/leaving')],
    denied: [ref('source/locked'), ref('source/theirs')],
    refused: [
      ref('target/dw/writer'),
      'aws-sm://other/source/x',
      'aws-smx://waybill/prod/source/erp',
      'vault://waybill/prod/source/erp',
      '',
    ],
    canaries: ['canary'],
  }
}

// An answer of any size is one to the SDK.
secretStoreContract('Secrets Manager', make, ['endless'])
