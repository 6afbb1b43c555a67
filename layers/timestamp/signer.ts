import { createHash, verify, X509Certificate } from 'node:crypto'
import { Attribute, SignedData } from '@peculiar/asn1-cms'
import { AsnConvert } from '@peculiar/asn1-schema'
import { elementsOf, readElement } from './der.ts'
import { invalid } from './refusal.ts'

const DIGESTS: Readonly<Record<string, string>> = {
  '2.16.840.1.101.3.4.2.1': 'sha256',
  '2.16.840.1.101.3.4.2.2': 'sha384',
  '2.16.840.1.101.3.4.2.3': 'sha512',
}
/** Signature algorithms that name their digest; plain RSA takes the signer's digest algorithm. */
const SIGNATURES: Readonly<Record<string, string | null>> = {
  '1.2.840.113549.1.1.1': null,
  '1.2.840.113549.1.1.11': 'sha256',
  '1.2.840.113549.1.1.12': 'sha384',
  '1.2.840.113549.1.1.13': 'sha512',
  '1.2.840.10045.4.3.2': 'sha256',
  '1.2.840.10045.4.3.3': 'sha384',
  '1.2.840.10045.4.3.4': 'sha512',
}
const CONTENT_TYPE = '1.2.840.113549.1.9.3'
const MESSAGE_DIGEST = '1.2.840.113549.1.9.4'
const SIGNING_CERTIFICATE = '1.2.840.113549.1.9.16.2.12'
const SIGNING_CERTIFICATE_V2 = '1.2.840.113549.1.9.16.2.47'
const SET = 0x31

/**
 * The certificate whose key signed the token, once everything between that key and the content holds: the signature over the signed
 * attributes, and in them the content's type and digest and the certificate's own digest.
 * @param token DER of a SignedData
 * @throws EVIDENCE_INVALID
 */
export function signerOf(
  token: Uint8Array,
  contentType: string,
): { content: Uint8Array; signer: X509Certificate; others: X509Certificate[] } {
  const signed = AsnConvert.parse(token, SignedData)
  const body = signed.encapContentInfo.eContent?.single
  if (signed.encapContentInfo.eContentType !== contentType || body === undefined) throw invalid('its token says nothing about a time')
  const content = new Uint8Array(body.buffer)
  const [info, ...more] = [...signed.signerInfos]
  if (info === undefined || more.length > 0) throw invalid('a timestamp has exactly one signature')
  const digest = DIGESTS[info.digestAlgorithm.algorithm]
  const named = SIGNATURES[info.signatureAlgorithm.algorithm]
  if (digest === undefined || named === undefined || (named !== null && named !== digest))
    throw invalid('it is signed in a way that is not accepted here: RSA or ECDSA with SHA-256, SHA-384 or SHA-512 are')
  const message = signedBytes(token)
  const attributes = elementsOf(readElement(message).content).map(({ whole }) => AsnConvert.parse(whole, Attribute))
  const one = (type: string) => single(attributes, type)
  if (one(CONTENT_TYPE)?.equals(objectIdentifier(contentType)) !== true) throw invalid('its signature is about another kind of content')
  const stated = one(MESSAGE_DIGEST)
  if (stated === null || !readElement(stated).content.equals(createHash(digest).update(content).digest()))
    throw invalid('its content is not what was signed')
  const certificates = certificatesOf(signed)
  const signer = certificates.find(certificateNamed(one(SIGNING_CERTIFICATE_V2), one(SIGNING_CERTIFICATE)))
  if (signer === undefined)
    throw invalid('the certificate that signed it is not in it; ask the authority with certReq, as the request does')
  if (!verify(digest, message, signer.publicKey, Buffer.from(info.signature.buffer))) throw invalid('its signature does not hold')
  return { content, signer, others: certificates.filter((each) => each !== signer) }
}

/**
 * The signed attributes as they were signed: a SET, although in the token they stand under the tag [0] (RFC 5652 §5.4). Taken from the
 * token's own bytes, so that what is verified and what is read are the same.
 */
function signedBytes(token: Uint8Array): Buffer {
  const signerInfos = elementsOf(readElement(token).content).at(-1)
  const [info, ...more] = signerInfos?.tag === SET ? elementsOf(signerInfos.content) : []
  const attributes = info === undefined || more.length > 0 ? undefined : elementsOf(info.content)[3]
  if (attributes?.tag !== 0xa0) throw invalid('its signature covers no attributes')
  const message = Buffer.from(attributes.whole)
  message[0] = SET
  return message
}

/** The one value of an attribute; null when it is not there. */
function single(attributes: readonly Attribute[], type: string): Buffer | null {
  const found = attributes.filter((attribute) => attribute.attrType === type)
  if (found.length === 0) return null
  const [value, ...more] = found[0]!.attrValues
  if (found.length > 1 || value === undefined || more.length > 0) throw invalid('a signed attribute is there twice')
  return Buffer.from(value)
}

/** OBJECT IDENTIFIER in DER. */
function objectIdentifier(dotted: string): Uint8Array {
  const [a = 0, b = 0, ...arcs] = dotted.split('.').map(Number)
  const body = [a * 40 + b, ...arcs.flatMap((arc) => base128(arc))]
  return Uint8Array.from([0x06, body.length, ...body])
}

function base128(arc: number): number[] {
  const digits = [arc & 0x7f]
  for (let rest = Math.floor(arc / 128); rest > 0; rest = Math.floor(rest / 128)) digits.unshift((rest & 0x7f) | 0x80)
  return digits
}

/** Which certificate the signer meant: without this, any certificate with the same key could be put in its place (RFC 5816). */
function certificateNamed(v2: Buffer | null, v1: Buffer | null): (certificate: X509Certificate) => boolean {
  const value = v2 ?? v1
  if (value === null) throw invalid('its signature does not say which certificate it was made with')
  const first = elementsOf(elementsOf(readElement(value).content)[0]?.content ?? Buffer.alloc(0))[0]
  const parts = elementsOf(first?.content ?? Buffer.alloc(0))
  const algorithm = v2 === null ? 'sha1' : parts[0]?.tag === 0x30 ? digestNamed(parts[0].content) : 'sha256'
  const hash = parts.find((part) => part.tag === 0x04)?.content
  if (hash === undefined) throw invalid('its signature does not say which certificate it was made with')
  return (certificate) => createHash(algorithm).update(certificate.raw).digest().equals(hash)
}

function digestNamed(algorithm: Buffer): string {
  for (const [oid, name] of Object.entries(DIGESTS))
    if (algorithm.subarray(0, objectIdentifier(oid).length).equals(objectIdentifier(oid))) return name
  throw invalid('it names its certificate by a digest that is not accepted here')
}

function certificatesOf(signed: SignedData): X509Certificate[] {
  const choices = [...(signed.certificates ?? [])]
  if (choices.length > 20) throw invalid('it holds more certificates than a chain has')
  return choices.flatMap(({ certificate }) =>
    certificate === undefined ? [] : [new X509Certificate(Buffer.from(AsnConvert.serialize(certificate)))],
  )
}
