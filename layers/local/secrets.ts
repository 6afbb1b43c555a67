import { readFile } from 'node:fs/promises'
import { WaybillError } from '../core/errors.ts'
import type { Secrets } from '../core/ports.ts'

/**
 * `env://NAME` from the record passed in; `file:///path` (a trailing line break is not part of the secret).
 * `onResolved` sees every secret handed out, so that the log can hide it.
 */
export function localSecrets({
  env,
  onResolved,
}: {
  env: Readonly<Record<string, string | undefined>>
  onResolved?: (secret: string) => void
}): Secrets {
  const read = async (secretRef: string): Promise<string> => {
    const [, scheme, rest = ''] = /^([a-z-]+):\/\/(.+)$/s.exec(secretRef) ?? []
    if (scheme === 'env') {
      const value = Object.hasOwn(env, rest) ? env[rest] : undefined
      if (value === undefined || value === '')
        throw new WaybillError('NOT_FOUND', `The environment variable ${rest} is not set; ${secretRef} needs it.`)
      return value
    }
    if (scheme === 'file') return fromFile(rest)
    throw new WaybillError(
      'BAD_INPUT',
      `This platform resolves env:// and file:// only; ${scheme ?? 'this reference'}:// needs Waybill in the account that holds the secret.`,
    )
  }
  return {
    async resolve(secretRef) {
      const secret = await read(secretRef)
      onResolved?.(secret)
      return secret
    },
  }
}

async function fromFile(path: string): Promise<string> {
  try {
    const secret = (await readFile(path, 'utf8')).replace(/\r?\n$/, '')
    if (secret !== '') return secret
  } catch (error) {
    if (['EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? ''))
      throw new WaybillError('PERMISSION_DENIED', `The secret file ${path} cannot be read by this user.`)
    throw new WaybillError('NOT_FOUND', `There is no readable secret file ${path}.`)
  }
  throw new WaybillError('NOT_FOUND', `The secret file ${path} is empty.`)
}
