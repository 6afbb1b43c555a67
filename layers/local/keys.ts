import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { join } from 'node:path'
import { WaybillError } from '../core/errors.ts'
import { MAC_PURPOSES, type MacPurpose, oneEach } from '../core/names.ts'
import { type Keys, MAC_MESSAGE_BYTES, type MacChecker, type MacMaker } from '../core/ports.ts'
import { keyFile } from './key-file.ts'

const LENGTH = 32

/**
 * The file of each purpose. Whoever holds the home holds them all, so that files apart would keep nobody from anything; what is authenticated says
 * what it is. What outlives a process stays under the one file that homes have always had.
 */
const FILES: Record<MacPurpose, 'link' | 'page'> = {
  approvalLink: 'link',
  registrationLink: 'link',
  waiverLink: 'link',
  withdrawalLink: 'link',
  page: 'page',
  person: 'link',
}

/** `mask.key` in `folder`: 32 random bytes, made once. */
export function fileKeys({ folder }: { folder: string }): Keys {
  return { mask: async () => secretKey(folder, 'mask') }
}

/** HMACs by `link.key` and `page.key` in `folder`: 32 random bytes each, made once. */
export function fileMacs({ folder }: { folder: string }): {
  macMakers: Record<MacPurpose, MacMaker>
  macCheckers: Record<MacPurpose, MacChecker>
} {
  const maker =
    (purpose: MacPurpose): MacMaker =>
    async (message) => {
      if (!isOfSize(message)) throw new WaybillError('BAD_INPUT', `Between 1 and ${MAC_MESSAGE_BYTES} bytes are authenticated at once.`)
      return createHmac('sha256', secretKey(folder, FILES[purpose])).update(message).digest()
    }
  const checker =
    (purpose: MacPurpose): MacChecker =>
    async (message, mac) => {
      if (!isOfSize(message) || mac.length !== LENGTH) return false
      return timingSafeEqual(await maker(purpose)(message), mac)
    }
  return { macMakers: oneEach(MAC_PURPOSES, maker), macCheckers: oneEach(MAC_PURPOSES, checker) }
}

const isOfSize = (message: Uint8Array) => message.length >= 1 && message.length <= MAC_MESSAGE_BYTES

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
