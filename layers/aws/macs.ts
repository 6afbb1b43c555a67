import { GenerateMacCommand, type KMSClient, VerifyMacCommand } from '@aws-sdk/client-kms'
import { WaybillError } from '../core/errors.ts'
import { MAC_MESSAGE_BYTES, type MacChecker, type MacMaker } from '../core/ports.ts'
import { asWaybillError, sdkErrorName } from './sdk-errors.ts'

const MAC_BYTES = 32

/** `generation` stands before the message from the second one on: raising it ends what was made before, under a key that does not change. */
type KmsKey = { kms: KMSClient; keyArn: string; generation?: string }

/** HMACs by a KMS key (HMAC_256) that nobody can read. Its policy says who makes; making takes kms:GenerateMac. */
export function kmsMacMaker({ kms, keyArn, generation }: KmsKey): MacMaker {
  return async (message) => {
    if (!isOfSize(message)) throw new WaybillError('BAD_INPUT', `Between 1 and ${MAC_MESSAGE_BYTES} bytes are authenticated at once.`)
    const { Mac } = await kms
      .send(new GenerateMacCommand({ KeyId: keyArn, Message: within(generation, message), MacAlgorithm: 'HMAC_SHA_256' }))
      .catch((error) => {
        throw asWaybillError(error, 'Making a message authentication code')
      })
    if (Mac?.length !== MAC_BYTES) throw new WaybillError('CONNECTION_FAILED', 'KMS returned no MAC. It is safe to try again.')
    return Mac
  }
}

/** KMS compares, so that whoever checks never sees what it should have been: checking takes kms:VerifyMac, and makes nothing. */
export function kmsMacChecker({ kms, keyArn, generation }: KmsKey): MacChecker {
  return async (message, mac) => {
    if (!isOfSize(message) || mac.length !== MAC_BYTES) return false
    try {
      const { MacValid } = await kms.send(
        new VerifyMacCommand({ KeyId: keyArn, Message: within(generation, message), Mac: mac, MacAlgorithm: 'HMAC_SHA_256' }),
      )
      return MacValid === true
    } catch (error) {
      if (sdkErrorName(error) === 'KMSInvalidMacException') return false
      throw asWaybillError(error, 'Checking a message authentication code')
    }
  }
}

/** Messages of ours begin with a brace or a bracket, never with a digit. */
const within = (generation = '1', message: Uint8Array) =>
  generation === '1' ? message : Buffer.concat([Buffer.from(`${generation}\n`), message])

const isOfSize = (message: Uint8Array) => message.length >= 1 && message.length <= MAC_MESSAGE_BYTES
