import { createHash, createPublicKey, verify } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { lowS, verifySignature } from '../../layers/core/ecdsa.ts'
import { SIGNING_PURPOSES } from '../../layers/core/names.ts'
import type { Signers } from '../../layers/core/ports.ts'
import { refusal } from './samples.ts'

/** @param make signers on the same keys each time it is called */
export function signersContract(name: string, make: () => Promise<Signers>): void {
  describe(`signers: ${name}`, () => {
    it('sign digests so that a verifier of the message agrees, whatever the message', async () => {
      const { plan } = await make()
      const pem = await plan.publicKeyPem()
      await fc.assert(
        fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (message) => {
          const signature = await plan.sign(createHash('sha256').update(message).digest())
          expect(verify('sha256', message, createPublicKey(pem), signature)).toBe(true)
          expect(verifySignature(pem, message, lowS(signature))).toBe(true)
          const other = Buffer.concat([message, Buffer.of(0)])
          expect(verifySignature(pem, other, lowS(signature))).toBe(false)
        }),
        { numRuns: 60 },
      )
    })

    it('sign 32 bytes and nothing else', async () => {
      const { plan } = await make()
      expect(await refusal(plan.sign(new Uint8Array(31)))).toBe('BAD_INPUT')
      expect(await refusal(plan.sign(new TextEncoder().encode('a'.repeat(64))))).toBe('BAD_INPUT')
    })

    it('have one P-256 key a purpose, the same every time', async () => {
      const [first, again] = [await make(), await make()]
      const pems = await Promise.all(SIGNING_PURPOSES.map((purpose) => first[purpose].publicKeyPem()))
      expect(new Set(pems).size).toBe(SIGNING_PURPOSES.length)
      expect(await Promise.all(SIGNING_PURPOSES.map((purpose) => again[purpose].publicKeyPem()))).toEqual(pems)
      for (const pem of pems) {
        expect(pem).toMatch(/^-----BEGIN PUBLIC KEY-----\n/)
        expect(createPublicKey(pem).asymmetricKeyDetails?.namedCurve).toBe('prime256v1')
      }
      expect(await first.plan.keyId()).toBe(await again.plan.keyId())
      expect(await first.plan.keyId()).not.toBe(await first.approval.keyId())
    })
  })
}
