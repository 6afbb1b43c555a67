import { bundleFromJSON, bundleToJSON, isBundleWithDsseEnvelope, isBundleWithPublicKey } from '@sigstore/bundle'
import { describe, expect, it } from 'vitest'
import { pae, readEnvelope } from '../../../layers/core/dsse.ts'
import { verifySignature } from '../../../layers/core/ecdsa.ts'
import { fingerprintOf } from '../../../layers/core/evidence/pack-files.ts'
import { sigstoreBundle } from '../../../layers/core/evidence/sigstore-bundle.ts'
import { fixturePack } from '../../support/pack-fixture.ts'

const pack = await fixturePack()
const bytesOf = (path: string) => pack.find((file) => file.path === path)!.bytes
const json = (bytes: Uint8Array) => JSON.parse(Buffer.from(bytes).toString('utf8'))
const stems = pack.filter(({ path }) => path.endsWith('.dsse.json')).map(({ path }) => path.replace('.dsse.json', ''))

describe('a Sigstore bundle', () => {
  it('lies beside every envelope', () => {
    expect(stems.length).toBeGreaterThan(10)
    const bundles = pack.filter(({ path }) => path.endsWith('.sigstore.json')).map(({ path }) => path.replace('.sigstore.json', ''))
    expect(bundles).toEqual(stems)
  })

  it.each(stems)('is read by the parser of Sigstore: %s', (stem) => {
    const bundle = bundleFromJSON(json(bytesOf(`${stem}.sigstore.json`)))
    if (!isBundleWithDsseEnvelope(bundle) || !isBundleWithPublicKey(bundle)) throw new Error('another kind of bundle')
    expect(bundle.mediaType).toBe('application/vnd.dev.sigstore.bundle.v0.3+json')
    const { dsseEnvelope } = bundle.content
    const pem = Buffer.from(bytesOf(`${stem}.pub.pem`)).toString('utf8')
    expect(bundle.verificationMaterial.content.publicKey.hint).toBe(fingerprintOf(pem))
    // What Sigstore read is what was signed.
    expect(verifySignature(pem, pae(dsseEnvelope.payloadType, dsseEnvelope.payload), dsseEnvelope.signatures[0]!.sig)).toBe(true)
    expect(json(bytesOf(`${stem}.dsse.json`))).toEqual(bundleToJSON(bundle).dsseEnvelope)
  })

  it('carries timestamps where Sigstore looks for them', () => {
    const envelope = bytesOf('manifest.dsse.json')
    const stamp = Buffer.from('3003020100', 'hex')
    const bundle = bundleFromJSON(json(sigstoreBundle(envelope, 'hint', [stamp])))
    expect(bundle.verificationMaterial.timestampVerificationData?.rfc3161Timestamps.map(({ signedTimestamp }) => signedTimestamp)).toEqual([
      stamp,
    ])
    expect(readEnvelope(envelope).signature.length).toBeGreaterThan(60)
  })
})
