import { X509Certificate } from 'node:crypto'
import { AsnConvert } from '@peculiar/asn1-schema'
import { id_ct_tstInfo, PKIStatus, TimeStampResp, TSTInfo } from '@peculiar/asn1-tsp'
import { sha256Bytes } from '../core/digest.ts'
import { isWaybillError, WaybillError } from '../core/errors.ts'
import type { Stamp, TimestampCheck } from '../core/verifier/timestamps.ts'
import { checkChain, checkStamps, nameOf } from './chain.ts'
import { readElement } from './der.ts'
import { invalid } from './refusal.ts'
import { signerOf } from './signer.ts'

const SIGNED_DATA = '1.2.840.113549.1.7.2'
const SHA256 = '2.16.840.1.101.3.4.2.1'
const MAX_BYTES = 1_000_000

/**
 * How RFC 3161 responses are checked: offline, with nothing but the bytes and the given certificates. Revocation is not looked up.
 * @param authorities PEM texts, each of one certificate or several; undefined when the caller names none, and then `trusted` is false
 * @throws BAD_INPUT for an authority that is no certificate
 */
export function timestampCheck(authorities: readonly string[] | undefined): TimestampCheck {
  const anchors = authorities?.flatMap(certificatesIn)
  return (response, content) => {
    try {
      return stampOf(response, content, anchors)
    } catch (error) {
      if (isWaybillError(error)) throw error
      throw new WaybillError('EVIDENCE_INVALID', 'this is no RFC 3161 response in DER', { cause: error })
    }
  }
}

function stampOf(response: Uint8Array, content: Uint8Array, anchors: readonly X509Certificate[] | undefined): Stamp {
  if (response.length > MAX_BYTES || readElement(response).rest.length > 0) throw invalid('it is longer than a response is')
  const { status, timeStampToken } = AsnConvert.parse(response, TimeStampResp)
  if (status.status !== PKIStatus.granted && status.status !== PKIStatus.grantedWithMods)
    throw invalid(`the authority did not grant it (status ${status.status})`)
  if (timeStampToken === undefined || timeStampToken.contentType !== SIGNED_DATA) throw invalid('it holds no token')
  const { content: info, signer, others } = signerOf(new Uint8Array(timeStampToken.content), id_ct_tstInfo)
  const said = AsnConvert.parse(info, TSTInfo)
  if (readElement(info).rest.length > 0 || said.version !== 1) throw invalid('it is of another version')
  if (said.extensions !== undefined && [...said.extensions].some(({ critical }) => critical))
    throw invalid('it has a critical extension that is unknown here')
  const { hashAlgorithm, hashedMessage } = said.messageImprint
  if (hashAlgorithm.algorithm !== SHA256 || !Buffer.from(hashedMessage.buffer).equals(sha256Bytes(content)))
    throw invalid('it is about something else than the file it answers for')
  checkStamps(signer, said.genTime)
  if (anchors !== undefined) checkChain(signer, others, anchors, said.genTime)
  return { at: said.genTime.toISOString(), authority: nameOf(signer), trusted: anchors !== undefined }
}

function certificatesIn(pem: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g)
  try {
    if (blocks !== null) return blocks.map((block) => new X509Certificate(block))
  } catch {
    // Named below, with what to give instead.
  }
  throw new WaybillError('BAD_INPUT', 'a timestamp authority is named by its certificate, or its issuer’s, in PEM (BEGIN CERTIFICATE)')
}
