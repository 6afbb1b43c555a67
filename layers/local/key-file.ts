import { readFileSync } from 'node:fs'
import { WaybillError } from '../core/errors.ts'
import { publish, writeBeside } from './durable-file.ts'

/** The bytes of a key file (0600), made by `make` if it is not there. When two processes make it at once, one wins and both read the winner's. */
export function keyFile(path: string, make: () => Uint8Array): Uint8Array {
  try {
    return readFileSync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw unreadable(path, error)
  }
  publish(writeBeside(path, make(), 0o600), path)
  return readFileSync(path)
}

function unreadable(path: string, cause: unknown): WaybillError {
  return new WaybillError('PERMISSION_DENIED', `The key file ${path} cannot be read by this user.`, { cause })
}
