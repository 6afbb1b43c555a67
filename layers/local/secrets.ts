import { type FileHandle, open } from 'node:fs/promises'
import { WaybillError } from '../core/errors.ts'
import type { Secrets } from '../core/ports.ts'

/** A connection string is a line; more than this is another file. */
const LARGEST_FILE = 65_536

/**
 * `env://NAME` from the record passed in; `file:///path` (a trailing line break is not part of the secret) of a file that others cannot read;
 * every other scheme from the store `stores` names for it. `onResolved` sees every secret handed out, so that the log can hide it.
 */
export function localSecrets({
  env,
  stores = {},
  onResolved,
}: {
  env: Readonly<Record<string, string | undefined>>
  stores?: Readonly<Record<string, Secrets>>
  onResolved?: (secret: string) => void
}): Secrets {
  const read = async (secretRef: string): Promise<string> => {
    const [, scheme = '', rest = ''] = /^([a-z-]+):\/\/(.+)$/s.exec(secretRef) ?? []
    if (scheme === 'env') {
      const value = Object.hasOwn(env, rest) ? env[rest] : undefined
      if (value === undefined || value === '')
        throw new WaybillError('NOT_FOUND', `The environment variable ${rest} is not set; ${secretRef} needs it.`)
      return value
    }
    if (scheme === 'file') return fromFile(rest)
    const store = Object.hasOwn(stores, scheme) ? stores[scheme] : undefined
    if (store !== undefined) return store.resolve(secretRef)
    throw new WaybillError(
      'BAD_INPUT',
      `This platform resolves ${['env', 'file', ...Object.keys(stores)].map((each) => `${each}://`).join(', ')}; ${scheme || 'this reference'}:// needs Waybill in the account that holds the secret.`,
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
  let file: FileHandle | undefined
  try {
    file = await open(path, 'r')
    // The opened file is judged, not its name: another one may take its place in between.
    const { mode, uid, size } = await file.stat()
    const openToOthers = uid === 0 && process.getuid?.() !== 0 ? mode & 0o027 : mode & 0o077
    if (openToOthers !== 0 && (mode & 0o170000) === 0o100000)
      throw new WaybillError('PERMISSION_DENIED', `The secret file ${path} is open to other users. Close it: chmod 600 ${path}`)
    if (size > LARGEST_FILE)
      throw new WaybillError('BAD_INPUT', `The file ${path} is too large to be a secret (${LARGEST_FILE} bytes at most).`)
    const secret = (await file.readFile('utf8')).replace(/\r?\n$/, '')
    if (secret !== '') return secret
  } catch (error) {
    if (error instanceof WaybillError) throw error
    if (['EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? ''))
      throw new WaybillError('PERMISSION_DENIED', `The secret file ${path} cannot be read by this user.`)
    throw new WaybillError('NOT_FOUND', `There is no readable secret file ${path}.`)
  } finally {
    await file?.close().catch(() => undefined)
  }
  throw new WaybillError('NOT_FOUND', `The secret file ${path} is empty.`)
}
