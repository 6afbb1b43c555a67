import { createHmac } from 'node:crypto'
import type { MacChecker, MacMaker } from '../../layers/core/ports.ts'

/** HMAC-SHA256 with a key that a test knows. */
export function macsOf(key: Uint8Array): { make: MacMaker; isOurs: MacChecker } {
  const make: MacMaker = async (message) => createHmac('sha256', key).update(message).digest()
  return { make, isOurs: async (message, mac) => Buffer.from(await make(message)).equals(mac) }
}
