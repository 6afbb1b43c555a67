import { z } from 'zod'
import { canonicalBytes, parseStrictJson } from './canonical-json.ts'
import { sha256Bytes } from './digest.ts'
import { IN_TOTO_PAYLOAD, pae, verifiedPayload, writeEnvelope } from './dsse.ts'
import { lowS } from './ecdsa.ts'
import { WaybillError } from './errors.ts'
import { SIGNING_PURPOSES, type SigningPurpose } from './names.ts'
import type { Signer, TrustRoot } from './ports.ts'
import { sha256Hex } from './schemas/common.ts'

/** What a statement says, by `predicateType`. */
export const PREDICATES = {
  plan: 'urn:waybill:predicate:plan:v1',
  approval: 'urn:waybill:predicate:approval:v1',
  passkey: 'urn:waybill:predicate:passkey:v1',
  waiver: 'urn:waybill:predicate:waiver:v1',
  outcome: 'urn:waybill:predicate:outcome:v1',
  anchor: 'urn:waybill:predicate:anchor:v1',
  pack: 'urn:waybill:predicate:pack:v1',
} as const
export type PredicateKind = keyof typeof PREDICATES

/** Which key may say it. A key that signs approvals cannot make a plan, whatever the statement claims. */
export const PREDICATE_PURPOSE: Readonly<Record<PredicateKind, SigningPurpose>> = {
  plan: 'plan',
  approval: 'approval',
  passkey: 'approval',
  waiver: 'approval',
  outcome: 'evidence',
  anchor: 'anchor',
  pack: 'evidence',
}

/** in-toto Statement v1. */
export const statement = z.strictObject({
  _type: z.literal('https://in-toto.io/Statement/v1'),
  subject: z
    .array(z.strictObject({ name: z.string().min(1).max(1024), digest: z.strictObject({ sha256: sha256Hex }) }))
    .min(1)
    .max(10_000),
  predicateType: z.enum(PREDICATES),
  predicate: z.record(z.string(), z.unknown()),
})
export type Statement = z.infer<typeof statement>

/** @throws BAD_INPUT when a digest, a name or the predicate type is not one of ours */
export function statementOf(fields: {
  predicateType: (typeof PREDICATES)[PredicateKind]
  subject: readonly { name: string; sha256: string }[]
  predicate: Readonly<Record<string, unknown>>
}): Statement {
  const parsed = statement.safeParse({
    _type: 'https://in-toto.io/Statement/v1',
    subject: fields.subject.map(({ name, sha256 }) => ({ name, digest: { sha256 } })),
    predicateType: fields.predicateType,
    predicate: fields.predicate,
  })
  if (!parsed.success) throw new WaybillError('BAD_INPUT', 'this cannot be said in a statement', { details: issuesOf(parsed.error) })
  return parsed.data
}

export type SignedStatement = {
  /** The DSSE envelope file. */
  bytes: Uint8Array
  /** Exactly the bytes that were signed: `openssl dgst -sha256 -verify pub.pem -signature sig.der pae.bin`. */
  pae: Uint8Array
  /** DER, s in the lower half. */
  signature: Uint8Array
  publicKeyPem: string
}

/** Signs SHA-256 of the PAE; the whole message never goes to the signer, which may accept 4 KiB at most. */
export async function signStatement(signer: Signer, content: Statement): Promise<SignedStatement> {
  const payload = canonicalBytes(content)
  const message = pae(IN_TOTO_PAYLOAD, payload)
  const signature = lowS(await signer.sign(sha256Bytes(message)))
  const bytes = writeEnvelope(payload, await signer.keyId(), signature)
  return { bytes, pae: message, signature, publicKeyPem: await signer.publicKeyPem() }
}

/**
 * A statement whose signature holds under one of the trusted PEMs. The caller chooses the keys of one purpose and must compare
 * `predicateType`; `openPredicate` does both.
 * @throws EVIDENCE_INVALID
 */
export function openEnvelope(bytes: Uint8Array, trusted: readonly string[]): Statement {
  const payload = verifiedPayload(bytes, trusted)
  let value: unknown
  try {
    value = parseStrictJson(payload)
  } catch (cause) {
    throw new WaybillError('EVIDENCE_INVALID', 'the signed payload is not acceptable JSON', { cause })
  }
  const parsed = statement.safeParse(value)
  if (!parsed.success) {
    throw new WaybillError('EVIDENCE_INVALID', 'the signed payload is no in-toto Statement of Waybill', { details: issuesOf(parsed.error) })
  }
  return parsed.data
}

/**
 * Opens an envelope as exactly one kind of statement, under the keys trusted for that kind, with a checked predicate.
 * @throws EVIDENCE_INVALID
 */
export function openPredicate<S extends z.ZodType>(
  bytes: Uint8Array,
  trust: TrustRoot,
  kind: PredicateKind,
  schema: S,
): { statement: Statement; predicate: z.infer<S> } {
  const opened = openFor(bytes, trust, kind)
  if (opened.predicateType !== PREDICATES[kind]) {
    throw new WaybillError('EVIDENCE_INVALID', `a statement of type ${PREDICATES[kind]} was expected, this one is ${opened.predicateType}`)
  }
  const predicate = schema.safeParse(opened.predicate)
  if (!predicate.success) {
    throw new WaybillError('EVIDENCE_INVALID', `the ${kind} statement does not say what it must say`, {
      details: issuesOf(predicate.error),
    })
  }
  return { statement: opened, predicate: predicate.data }
}

/** Says so where a key signed that is trusted, but for something else: a home of before, or somebody who holds one key and wants another. */
function openFor(bytes: Uint8Array, trust: TrustRoot, kind: PredicateKind): Statement {
  const purpose = PREDICATE_PURPOSE[kind]
  try {
    return openEnvelope(bytes, trust[purpose])
  } catch (error) {
    const other = SIGNING_PURPOSES.find((each) => each !== purpose && holdsUnder(bytes, trust[each]))
    if (other === undefined) throw error
    throw new WaybillError(
      'EVIDENCE_INVALID',
      `the ${kind} statement was signed with the ${other} key; only the ${purpose} key may say this`,
    )
  }
}

function holdsUnder(bytes: Uint8Array, keys: readonly string[]): boolean {
  try {
    verifiedPayload(bytes, keys)
    return true
  } catch {
    return false
  }
}

function issuesOf(error: z.ZodError): string[] {
  return error.issues.slice(0, 20).map((issue) => `${issue.path.join('/')}: ${issue.message}`)
}
