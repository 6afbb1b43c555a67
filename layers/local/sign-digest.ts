import { createECDH } from 'node:crypto'

const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n

/**
 * ECDSA P-256 over a digest that is already one, as KMS does with MessageType DIGEST; node:crypto can only sign what it hashes itself.
 * OpenSSL picks the nonce and multiplies the point in constant time. The rest is arithmetic on bigints, blinded by a second random
 * number, because its time depends on the numbers.
 * @param secret the private scalar, 32 bytes
 * @returns DER; s in the lower half, so that there is one form
 */
export function signDigest(digest: Uint8Array, secret: Uint8Array): Uint8Array {
  const z = number(digest)
  const d = number(secret)
  for (;;) {
    const nonce = createECDH('prime256v1')
    const r = number(nonce.generateKeys().subarray(1, 33)) % ORDER
    const k = number(nonce.getPrivateKey())
    const blinder = createECDH('prime256v1')
    blinder.generateKeys()
    const b = number(blinder.getPrivateKey())
    const blinded = (((b * z) % ORDER) + ((((b * r) % ORDER) * d) % ORDER)) % ORDER
    const s = (inverse((k * b) % ORDER) * blinded) % ORDER
    if (r === 0n || s === 0n) continue
    return der(r, s > ORDER / 2n ? ORDER - s : s)
  }
}

function number(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).toString('hex')}`)
}

/** Extended Euclid; ORDER is prime, so every value but 0 has an inverse. */
function inverse(value: bigint): bigint {
  let [a, b, x, y] = [value, ORDER, 1n, 0n]
  while (b !== 0n) {
    const quotient = a / b
    ;[a, b, x, y] = [b, a - quotient * b, y, x - quotient * y]
  }
  return ((x % ORDER) + ORDER) % ORDER
}

function der(r: bigint, s: bigint): Uint8Array {
  const integers = [r, s].map((value) => {
    const bytes = Buffer.from(value.toString(16).padStart(64, '0'), 'hex')
    const first = bytes.findIndex((byte) => byte !== 0)
    const digits = bytes.subarray(first)
    const magnitude = (digits[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.of(0), digits]) : digits
    return Buffer.concat([Buffer.of(0x02, magnitude.length), magnitude])
  })
  const body = Buffer.concat(integers)
  return Buffer.concat([Buffer.of(0x30, body.length), body])
}
