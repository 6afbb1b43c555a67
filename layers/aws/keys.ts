import { createHash } from 'node:crypto'
import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { WaybillError } from '../core/errors.ts'
import type { Keys } from '../core/ports.ts'
import { secretText } from './secrets.ts'

/** The key is derived by SHA-256 from a generated secret of at least 43 characters: 62 possible each, more than 256 bits. */
export function secretsManagerKeys({ client, maskSecretId }: { client: SecretsManagerClient; maskSecretId: () => string }): Keys {
  let cached: Promise<Uint8Array> | undefined
  return {
    mask() {
      cached ??= secretText(client, maskSecretId()).then(
        (text) => {
          if (text.length < 43) throw new WaybillError('BAD_INPUT', 'The mask secret is too short to be a key. Let the stack generate it.')
          return createHash('sha256').update(`waybill/mask/v1\n${text}`).digest()
        },
        (error) => {
          cached = undefined
          throw error
        },
      )
      return cached
    },
  }
}
