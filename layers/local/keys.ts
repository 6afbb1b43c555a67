import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { WaybillError } from '../core/errors.ts'
import type { Keys } from '../core/ports.ts'
import { keyFile } from './key-file.ts'

const LENGTH = 32

/** `link.key` and `mask.key` in `folder`: 32 random bytes each, made once. */
export function fileKeys({ folder }: { folder: string }): Keys {
  return { link: async () => secretKey(folder, 'link'), mask: async () => secretKey(folder, 'mask') }
}

/** The key that seals task tokens in the approval store. */
export function sealKey(folder: string): Uint8Array {
  return secretKey(folder, 'seal')
}

function secretKey(folder: string, name: string): Uint8Array {
  const path = join(folder, `${name}.key`)
  const bytes = keyFile(path, () => randomBytes(LENGTH))
  if (bytes.length !== LENGTH) throw new WaybillError('BAD_INPUT', `${path} is not a key of ${LENGTH} bytes. Put the right file back.`)
  return bytes
}
