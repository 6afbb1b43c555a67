import { randomBytes } from 'node:crypto'
import type { Ids } from '../core/ports.ts'

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567'

/** `<prefix>-` and 26 characters of lower-case base 32: 130 random bits. 256 is a multiple of 32, so no character is favoured. */
export const randomIds: Ids = {
  next: (prefix) => `${prefix}-${Array.from(randomBytes(26), (byte) => ALPHABET[byte & 31]).join('')}`,
}
