import { createECDH, createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { join } from 'node:path'
import { WaybillError } from '../core/errors.ts'
import { oneEach, SIGNING_PURPOSES, type SigningPurpose } from '../core/names.ts'
import type { Signer, Signers } from '../core/ports.ts'
import { keyFile } from './key-file.ts'
import { signDigest } from './sign-digest.ts'

/** One P-256 key a purpose, `<purpose>.pem` in `folder`, made once. Named `local:` in evidence; a production trust root leaves them out. */
export function fileSigners({ folder }: { folder: string }): Signers {
  return oneEach(SIGNING_PURPOSES, (purpose) => fileSigner(folder, purpose))
}

function fileSigner(folder: string, purpose: SigningPurpose): Signer {
  let opened: KeyObject | undefined
  const key = () => {
    opened ??= read(join(folder, `${purpose}.pem`))
    return opened
  }
  const spki = () => createPublicKey(key()).export({ type: 'spki', format: 'der' })
  return {
    async sign(digest) {
      if (digest.length !== 32) throw new WaybillError('BAD_INPUT', 'Only a SHA-256 digest of 32 bytes is signed.')
      return signDigest(digest, Buffer.from(String(key().export({ format: 'jwk' }).d), 'base64url'))
    },
    async publicKeyPem() {
      return createPublicKey(key()).export({ type: 'spki', format: 'pem' }).toString()
    },
    async keyId() {
      return `local:${createHash('sha256').update(spki()).digest('hex')}`
    },
  }
}

function read(path: string): KeyObject {
  const pem = keyFile(path, () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    return Buffer.from(privateKey.export({ type: 'pkcs8', format: 'pem' }))
  })
  try {
    const key = createPrivateKey(Buffer.from(pem))
    // Fails for a key on another curve.
    createECDH('prime256v1').setPrivateKey(Buffer.from(String(key.export({ format: 'jwk' }).d), 'base64url'))
    if (key.asymmetricKeyDetails?.namedCurve === 'prime256v1') return key
  } catch {
    // Nothing of a private key goes into an error, not even a parser's message.
  }
  throw new WaybillError('BAD_INPUT', `${path} is not a private P-256 key in PKCS #8 PEM. Put the right file back.`)
}
