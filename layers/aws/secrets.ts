import { GetSecretValueCommand, type SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { WaybillError } from '../core/errors.ts'
import { DATABASE_USERS } from '../core/names.ts'
import type { Secrets } from '../core/ports.ts'
import { IAM_PASSWORD } from './database-token.ts'
import { asWaybillError, sdkErrorName } from './sdk-errors.ts'

/** Whether this function or worker reads the target with the reader's or the writer's credentials. Its role allows no other. */
export type TargetAccess = 'reader' | 'writer'

const SCHEME = 'aws-secretsmanager://'
/** `aws-sm://` is the same in short. */
const IAM = /^aws-rds-iam:\/\/(source|target)\/([a-zA-Z0-9](?:[a-zA-Z0-9.-]{0,252}):\d{1,5})\/([A-Za-z0-9_-]{1,63})$/
const WRITTEN = /^aws-(?:secretsmanager|sm):\/\//

/**
 * `aws-secretsmanager://<prefix>/source/<name>` is one read-only secret. `aws-secretsmanager://<prefix>/target/<name>` is two:
 * `…/reader` and `…/writer`; a plan names neither, and the role decides which one opens. Anything outside the prefix is refused:
 * a spec is hostile, and could name another team's secret.
 *
 * `aws-rds-iam://source/<host>:<port>/<database>`, or `target`, holds no secret at all: the side and the role decide the database's user, and a token is made
 * for each connection. A host of a hostile spec gets a token that is good for itself only, and only over a verified certificate.
 */
export function secretsManagerSecrets({
  client,
  prefix,
  targetAccess,
}: {
  client: SecretsManagerClient
  prefix: string
  targetAccess: TargetAccess
}): Secrets {
  return {
    async resolve(secretRef) {
      const [, end, host, database] = IAM.exec(secretRef) ?? []
      if (end !== undefined) {
        const user = DATABASE_USERS[end === 'source' ? 'source' : (`target-${targetAccess}` as const)]
        return `postgresql://${user}@${host}/${database}?sslmode=verify-full&waybill_password=${IAM_PASSWORD}`
      }
      const id = WRITTEN.test(secretRef) ? secretRef.replace(WRITTEN, '') : ''
      const [, side, name] = id.startsWith(`${prefix}/`)
        ? (/^(source|target)\/([A-Za-z0-9_.+=@-]+)$/.exec(id.slice(prefix.length + 1)) ?? [])
        : []
      if (side === undefined || name === undefined)
        throw new WaybillError(
          'PERMISSION_DENIED',
          `On AWS a secret_ref is ${SCHEME}${prefix}/source/<name>, or aws-rds-iam://source/<host>:<port>/<database>; or target in place of source. See docs/deploy.md.`,
        )
      return secretText(client, side === 'source' ? id : `${id}/${targetAccess}`)
    },
  }
}

/** The SDK asks again by itself where it is throttled. @throws NOT_FOUND, PERMISSION_DENIED, CONNECTION_FAILED */
export async function secretText(client: SecretsManagerClient, id: string): Promise<string> {
  const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId: id })).catch((error) => {
    throw refusal(error, id)
  })
  if (typeof SecretString !== 'string' || SecretString === '')
    throw new WaybillError('NOT_FOUND', `Secret ${id} holds no text. Store the connection URL as its string.`)
  return SecretString
}

const GONE = new Set(['ResourceNotFoundException', 'InvalidRequestException'])

function refusal(error: unknown, id: string): WaybillError {
  const name = sdkErrorName(error)
  if (GONE.has(name))
    return new WaybillError(
      'NOT_FOUND',
      `There is no secret ${id} in this account and region, or it is being deleted. Create it; docs/deploy.md says how.`,
    )
  if (name === 'DecryptionFailure')
    return new WaybillError(
      'PERMISSION_DENIED',
      `Secret ${id} cannot be decrypted. Encrypt it with the key aws/secretsmanager; docs/deploy.md says why.`,
    )
  const { code, message } = asWaybillError(error, 'Reading a secret')
  // Without its cause: an answer that the SDK cannot parse is quoted in the parser's error, and the answer is the secret.
  return new WaybillError(code, message)
}
