import { createHash } from 'node:crypto'
import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { WaybillError } from '../core/errors.ts'
import type { Keys } from '../core/ports.ts'
import { secretText } from './secrets.ts'

/** Keys are derived by SHA-256 from generated secrets of at least 43 characters: 62 possible each, more than 256 bits. */
export function secretsManagerKeys({
  client,
  linkSecretId,
  maskSecretId,
}: {
  client: SecretsManagerClient
  linkSecretId: () => string
  maskSecretId: () => string
}): Keys {
  const key = (use: string, id: () => string) => {
    let cached: Promise<Uint8Array> | undefined
    return () => {
      cached ??= secretText(client, id()).then(
        (text) => {
          if (text.length < 43)
            throw new WaybillError('BAD_INPUT', `The ${use} secret is too short to be a key. Let the stack generate it.`)
          return createHash('sha256').update(`waybill/${use}/v1\n${text}`).digest()
        },
        (error) => {
          cached = undefined
          throw error
        },
      )
      return cached
    }
  }
  return { link: key('link', linkSecretId), mask: key('mask', maskSecretId) }
}
