import { verify } from 'node:crypto'
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { fromBase64, IN_TOTO_PAYLOAD, pae, readEnvelope } from '../../layers/core/dsse.ts'
import { lowS, verifySignature } from '../../layers/core/ecdsa.ts'
import {
  openEnvelope,
  openPredicate,
  PREDICATES,
  type PredicateKind,
  type SignedStatement,
  signStatement,
  statementOf,
} from '../../layers/core/statement.ts'
import { keyPair, keys, malleated, opensslSign, trust } from './support/keys.ts'

const said = statementOf({
  predicateType: PREDICATES.approval,
  subject: [{ name: 'migration_plan.json', sha256: 'ab'.repeat(32) }],
  predicate: { decision: 'APPROVED', ratio: 0.25 },
})
type File = { payload: string; payloadType: string; signatures: Record<string, string>[] } & Record<string, unknown>
let signed: SignedStatement
let file: File

beforeAll(async () => {
  signed = await signStatement(keys.approval.signer, said)
  file = JSON.parse(Buffer.from(signed.bytes).toString())
})

const withFile = (change: (copy: File) => void): Uint8Array => {
  const copy = structuredClone(file)
  change(copy)
  return Buffer.from(JSON.stringify(copy))
}
const refused = (bytes: Uint8Array, pems: readonly string[] = trust.approval): void => {
  expect(() => openEnvelope(bytes, pems)).toThrow(expect.objectContaining({ code: 'EVIDENCE_INVALID' }))
}

describe('DSSE', () => {
  test('the pre-authentication encoding is the one of the DSSE protocol', () => {
    expect(Buffer.from(pae('http://example.com/HelloWorld', Buffer.from('hello world'))).toString()).toBe(
      'DSSEv1 29 http://example.com/HelloWorld 11 hello world',
    )
    expect(Buffer.from(pae('é', Buffer.from('€'))).toString()).toBe('DSSEv1 2 é 3 €')
  })

  test('no two pairs of type and payload share an encoding', () => {
    const text = fc.string({ unit: fc.constantFrom('1', '2', ' ', 'a'), maxLength: 6 })
    fc.assert(
      fc.property(text, text, text, text, (t1, p1, t2, p2) => {
        const same = Buffer.from(pae(t1, Buffer.from(p1))).equals(pae(t2, Buffer.from(p2)))
        expect(same).toBe(t1 === t2 && p1 === p2)
      }),
      { numRuns: 2000 },
    )
  })

  test('a signed statement opens, and its parts verify with nothing of ours', () => {
    expect(openEnvelope(signed.bytes, trust.approval)).toEqual(said)
    expect(verify('sha256', signed.pae, signed.publicKeyPem, signed.signature)).toBe(true)
    expect(Buffer.from(readEnvelope(signed.bytes).signature).equals(signed.signature)).toBe(true)
  })

  test('any changed byte of the file is noticed, save the key id, which decides nothing', () => {
    const keyid = Buffer.from(signed.bytes).indexOf('"keyid":"') + '"keyid":"'.length
    const keyidEnd = Buffer.from(signed.bytes).indexOf('"', keyid)
    fc.assert(
      fc.property(fc.nat({ max: signed.bytes.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, mask) => {
        const changed = Uint8Array.from(signed.bytes, (byte, index) => (index === at ? byte ^ mask : byte))
        if (at >= keyid && at < keyidEnd) {
          try {
            expect(openEnvelope(changed, trust.approval)).toEqual(said)
          } catch (error) {
            expect(error).toMatchObject({ code: 'EVIDENCE_INVALID' })
          }
        } else refused(changed)
      }),
      { numRuns: 1000 },
    )
  })

  test('every trusted key is tried, whatever the key id says', () => {
    const lying = withFile((copy) => {
      copy.signatures[0]!.keyid = 'the evidence key, honestly'
    })
    expect(openEnvelope(lying, [keys.stranger.pem, ...trust.approval])).toEqual(said)
    const borrowed = withFile((copy) => {
      copy.signatures[0]!.keyid = file.signatures[0]!.keyid!
    })
    refused(borrowed, [keys.stranger.pem])
    refused(signed.bytes, [])
    refused(signed.bytes, trust.plan)
  })

  test.each<[string, (copy: File) => void]>([
    ['another payload type', (copy) => Object.assign(copy, { payloadType: 'application/json' })],
    ['an added field', (copy) => Object.assign(copy, { comment: 'trust me' })],
    ['a second signature', (copy) => copy.signatures.push({ keyid: 'x', sig: 'AAAA' })],
    ['no signature', (copy) => copy.signatures.pop()],
    ['an added field in the signature', (copy) => Object.assign(copy.signatures[0]!, { cert: 'x' })],
    [
      'base64 without padding',
      (copy) => Object.assign(copy, { payload: copy.payload.replace(/=+$/, '').padEnd(copy.payload.length - 1, '') }),
    ],
    ['base64 with a line break', (copy) => Object.assign(copy, { payload: `${copy.payload.slice(0, 8)}\n${copy.payload.slice(8)}` })],
    ['base64url', (copy) => Object.assign(copy.signatures[0]!, { sig: `-_${copy.signatures[0]!.sig!.slice(2)}` })],
  ])('refuses %s', (_name, change) => {
    const bytes = withFile(change)
    if (JSON.stringify(JSON.parse(Buffer.from(bytes).toString())) !== JSON.stringify(file)) refused(bytes)
    else throw new Error('the change changed nothing')
  })

  test('base64 has one spelling', () => {
    expect([...fromBase64('AAE=')]).toEqual([0, 1])
    for (const text of ['AAE', 'AAF=', 'AAE=\n', ' AAE=', 'AA E=', 'AAE==', '-_8=', 'A']) {
      expect(() => fromBase64(text), text).toThrow(expect.objectContaining({ code: 'EVIDENCE_INVALID' }))
    }
  })

  test('a duplicate key in the file or in the payload is refused', async () => {
    const text = Buffer.from(signed.bytes).toString()
    refused(Buffer.from(text.replace('{"payload"', '{"payload":"","payload"')))
    const payload = Buffer.from('{"_type":"https://in-toto.io/Statement/v1","_type":"https://in-toto.io/Statement/v1"}')
    const sig = Buffer.from(lowS(opensslSign(keys.approval.privateKey, pae(IN_TOTO_PAYLOAD, payload)))).toString('base64')
    refused(Buffer.from(JSON.stringify({ payloadType: IN_TOTO_PAYLOAD, payload: payload.toString('base64'), signatures: [{ sig }] })))
  })
})

describe('ECDSA', () => {
  test('the signature that anybody can derive from a valid one is refused', () => {
    const twin = malleated(signed.signature)
    expect(verify('sha256', signed.pae, signed.publicKeyPem, twin)).toBe(true)
    expect(verifySignature(signed.publicKeyPem, signed.pae, twin)).toBe(false)
    refused(
      withFile((copy) => {
        copy.signatures[0]!.sig = Buffer.from(twin).toString('base64')
      }),
    )
  })

  test('signatures made elsewhere verify here once in the lower half, which is the only form that signing gives', () => {
    for (let round = 0; round < 50; round++) {
      const message = Buffer.from(`message ${round}`)
      const made = opensslSign(keys.plan.privateKey, message)
      const low = lowS(made)
      expect(verifySignature(keys.plan.pem, message, low)).toBe(true)
      expect(verify('sha256', message, keys.plan.pem, low)).toBe(true)
      expect(lowS(malleated(low))).toEqual(low)
      expect(verifySignature(keys.plan.pem, message, malleated(low))).toBe(false)
      expect(verifySignature(keys.stranger.pem, message, low)).toBe(false)
      expect(verifySignature(keys.plan.pem, Buffer.from('another'), low)).toBe(false)
    }
  })

  test.each<[string, (der: Uint8Array) => Uint8Array]>([
    ['nothing', () => new Uint8Array()],
    ['trailing bytes', (der) => Uint8Array.of(...der, 0)],
    ['a third number', () => Uint8Array.of(0x30, 9, 2, 1, 1, 2, 1, 1, 2, 1, 1)],
    ['a cut end', (der) => der.slice(0, -1)],
    ['another tag', (der) => Uint8Array.of(0x31, ...der.slice(1))],
    ['r of zero', () => Uint8Array.of(0x30, 6, 2, 1, 0, 2, 1, 1)],
    ['a negative r', () => Uint8Array.of(0x30, 6, 2, 1, 0x80, 2, 1, 1)],
    ['a padded r', () => Uint8Array.of(0x30, 7, 2, 2, 0, 1, 2, 1, 1)],
    ['an empty r', () => Uint8Array.of(0x30, 5, 2, 0, 2, 1, 1)],
    ['raw r and s', () => new Uint8Array(64).fill(1)],
  ])('refuses %s as a signature', (_name, change) => {
    const bad = change(signed.signature)
    expect(verifySignature(keys.approval.pem, signed.pae, bad)).toBe(false)
    expect(() => lowS(bad)).toThrow(expect.objectContaining({ code: 'EVIDENCE_INVALID' }))
  })

  test('only P-256 public keys can be trusted', () => {
    const privatePem = keys.approval.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
    for (const pem of ['', 'no key', privatePem, keyPair().pem.replace(/M/g, 'A')]) {
      expect(() => verifySignature(pem, signed.pae, signed.signature)).toThrow(expect.objectContaining({ code: 'EVIDENCE_INVALID' }))
    }
  })
})

describe('statements', () => {
  const shape = z.strictObject({ decision: z.enum(['APPROVED', 'REJECTED']), ratio: z.number() })

  test('opens as what it is', () => {
    expect(openPredicate(signed.bytes, trust, 'approval', shape).predicate).toEqual({ decision: 'APPROVED', ratio: 0.25 })
  })

  test('a key of one purpose cannot speak for another, even with the right type', async () => {
    const forged = await signStatement(keys.approval.signer, { ...said, predicateType: PREDICATES.plan })
    expect(() => openPredicate(forged.bytes, trust, 'plan', shape)).toThrow(
      'the plan statement was signed with the approval key; only the plan key may say this',
    )
    const stranger = await signStatement(keys.stranger.signer, { ...said, predicateType: PREDICATES.plan })
    expect(() => openPredicate(stranger.bytes, trust, 'plan', shape)).toThrow(/does not hold under any/)
  })

  test('a statement of another kind by the right key is refused', async () => {
    const outcome = await signStatement(keys.evidence.signer, { ...said, predicateType: PREDICATES.outcome })
    expect(openPredicate(outcome.bytes, trust, 'outcome', shape).predicate.decision).toBe('APPROVED')
    expect(() => openPredicate(outcome.bytes, trust, 'pack', shape)).toThrow(/was expected/)
    expect(() => openPredicate(outcome.bytes, trust, 'plan', shape)).toThrow(expect.objectContaining({ code: 'EVIDENCE_INVALID' }))
  })

  test('the log is vouched for by the anchor key alone, which vouches for nothing else', async () => {
    const anchor = { ...said, predicateType: PREDICATES.anchor }
    expect(openPredicate((await signStatement(keys.anchor.signer, anchor)).bytes, trust, 'anchor', shape).predicate.ratio).toBe(0.25)
    for (const other of ['plan', 'approval', 'evidence'] as const) {
      const { bytes } = await signStatement(keys[other].signer, anchor)
      expect(() => openPredicate(bytes, trust, 'anchor', shape)).toThrow(`signed with the ${other} key; only the anchor key`)
    }
    for (const kind of Object.keys(PREDICATES).filter((each) => each !== 'anchor') as PredicateKind[]) {
      const { bytes } = await signStatement(keys.anchor.signer, { ...said, predicateType: PREDICATES[kind] })
      expect(() => openPredicate(bytes, trust, kind, shape)).toThrow(`the ${kind} statement was signed with the anchor key`)
    }
  })

  test('a predicate of another shape is refused', () => {
    expect(() => openPredicate(signed.bytes, trust, 'approval', z.strictObject({ decision: z.string() }))).toThrow(/what it must say/)
  })

  test('a digest that is none cannot be stated', () => {
    const fields = { predicateType: PREDICATES.plan, predicate: {} }
    for (const sha256 of ['', 'AB'.repeat(32), 'ab'.repeat(31), `${'ab'.repeat(31)}zz`]) {
      expect(() => statementOf({ ...fields, subject: [{ name: 'plan', sha256 }] })).toThrow(expect.objectContaining({ code: 'BAD_INPUT' }))
    }
  })
})
