import { fingerprintOf, formPaths, SEAL } from '../evidence/pack-files.ts'
import { sigstoreBundle } from '../evidence/sigstore-bundle.ts'
import { requestPath, responsePath, STAMPED_BUNDLE, TIMESTAMPED, timestampRequest } from '../evidence/timestamp-request.ts'
import { Faults, type OpenedPack, sentence } from './pack-reader.ts'

/** What an RFC 3161 response says. `trusted`: its authority's certificate leads to one the caller trusts. */
export type Stamp = { at: string; authority: string; trusted: boolean }
/** Checks a response over `content`. @throws EVIDENCE_INVALID for anything but a granted, signed token over exactly these bytes */
export type TimestampCheck = (response: Uint8Array, content: Uint8Array) => Stamp

/**
 * The requests follow from what they are about. The responses were added after sealing, so each is judged by itself; none has to be
 * there. One that nobody can check is a fault: it would be read as a proof of time.
 */
export function timestampsOf(pack: OpenedPack, check: TimestampCheck | undefined): { faults: Faults; says: string; none: boolean } {
  const faults = new Faults()
  const stamps: string[] = []
  for (const { name, of } of TIMESTAMPED) {
    const content = pack.files.get(of)
    const request = pack.files.get(requestPath(name))
    if (content !== undefined && request !== undefined && !Buffer.from(timestampRequest(content)).equals(request))
      faults.add(requestPath(name), `does not ask about ${of}`)
    const response = pack.files.get(responsePath(name))
    if (response === undefined) continue
    if (content === undefined) faults.add(responsePath(name), `stands beside no ${of}`)
    else if (check === undefined) faults.add(responsePath(name), 'was not checked: this verifier was given no way to read timestamps')
    else {
      try {
        const { at, authority, trusted } = check(response, content)
        const whom = trusted ? 'an authority you trust' : 'not checked whether you trust that authority: name its certificate with --tsa-ca'
        stamps.push(`${of} existed by ${at}, says ${authority} (${whom})`)
      } catch (error) {
        faults.add(responsePath(name), sentence(error))
      }
    }
  }
  bundleFaults(pack, faults)
  if (stamps.length > 0) return { faults, says: `${stamps.join('; ')}.`, none: false }
  return { faults, says: 'No timestamp authority was asked: when it was sealed is what the seal says.', none: faults.list.length === 0 }
}

function bundleFaults(pack: OpenedPack, faults: Faults): void {
  const response = pack.files.get(responsePath('signature'))
  const stated = pack.files.get(STAMPED_BUNDLE)
  if (response === undefined) {
    if (stated !== undefined) faults.add(STAMPED_BUNDLE, `stands beside no ${responsePath('signature')}`)
    return
  }
  const [envelope, , , key] = formPaths(SEAL).map((path) => pack.files.get(path))
  if (stated === undefined) faults.add(STAMPED_BUNDLE, 'is missing beside the stamped signature')
  else if (envelope === undefined || key === undefined) faults.add(STAMPED_BUNDLE, 'stands beside no seal')
  else {
    try {
      const expected = sigstoreBundle(envelope, fingerprintOf(Buffer.from(key).toString('utf8')), [response])
      if (!Buffer.from(expected).equals(stated)) faults.add(STAMPED_BUNDLE, 'is not the seal with its timestamp')
    } catch (error) {
      faults.add(STAMPED_BUNDLE, sentence(error))
    }
  }
}
