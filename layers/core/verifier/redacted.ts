import { canonicalBytes } from '../canonical-json.ts'
import { sha256 } from '../digest.ts'
import { MANIFEST } from '../evidence/pack-files.ts'
import { redactedGuide } from '../evidence/redacted-guide.ts'
import { KEPT, REDACTED_GUIDE, REDACTION, whyWithheld } from '../evidence/redaction.ts'
import { type PackManifest, type Redaction, redaction } from '../schemas/evidence.ts'
import { keysOf } from './keys.ts'
import { manifestFaults } from './manifest.ts'
import { type Check, checkOf, Faults, joined, type OpenedPack, type PackReader, parseAs, readAll } from './pack-reader.ts'
import { linksOf } from './redacted-links.ts'
import { sealFaults, signatureFaults } from './signatures.ts'
import { type TimestampCheck, timestampsOf } from './timestamps.ts'
import { keysSay } from './words.ts'

export type RedactedVerification = {
  /** What is here is what was sealed, and everything missing is named. */
  consistent: boolean
  /** Never true: nobody looked at what is withheld. */
  verified: false
  trust: 'pinned' | 'keys-in-pack'
  withheld: { path: string; why: string }[]
  checks: Check[]
  faults: string[]
}

/**
 * Verifies what a redacted pack still holds. Files that were taken out must be exactly the ones that `redaction.json` names, with the
 * digests of the sealed manifest; nothing they say is taken for true.
 * @throws BAD_INPUT for a trusted key that cannot be read; whatever `reader` throws
 */
export async function verifyRedactedPack(
  reader: PackReader,
  options: { trust?: readonly string[]; timestamp?: TimestampCheck } = {},
): Promise<RedactedVerification> {
  const { files: all, faults: readFaults } = await readAll(reader)
  const files = new Map([...all].flatMap(([path, bytes]) => (path.startsWith(KEPT) ? [[path.slice(KEPT.length), bytes] as const] : [])))
  const found = keysOf(files, options.trust)
  const pack: OpenedPack = { files, keys: found.keys, trust: found.trust }

  const { faults: stubFaults, list } = redactionOf(all)
  const gone = new Set(list?.withheld.map(({ path }) => path))
  const { faults: listFaults, manifest } = manifestFaults(pack, gone)
  const { faults: sealedFaults, seal } = sealFaults(pack, manifest)
  const { faults: signedFaults, count } = signatureFaults(pack)
  const links = linksOf(pack, manifest)
  const stamped = timestampsOf(pack, options.timestamp)
  const filesFaults = joined(readFaults, stubFaults, listFaults, digestFaults(files, manifest, list))

  const results: [string, Faults, string][] = [
    [
      'files',
      filesFaults,
      `${files.size} files are exactly the ones that were sealed; ${gone.size} are withheld, and nothing they say was checked.`,
    ],
    ['seal', sealedFaults, `The manifest was sealed${seal ? ` on ${seal.sealed_at} with the project in ${seal.state}` : ''}.`],
    ['timestamps', stamped.faults, stamped.says],
    ['keys', found.faults, keysSay(found)],
    ['signatures', signedFaults, `All ${count} signatures that are here hold.`],
    ['links', links.faults, links.says],
  ]
  const checks = results.map(([name, faults, says]) => checkOf(name, faults, says))
  if (stamped.none) checks[2] = { ...checks[2]!, verdict: 'not-applicable' }
  const faults = [...new Set(results.flatMap(([, each]) => each.list))]
  return {
    consistent: faults.length === 0,
    verified: false,
    trust: found.pinned ? 'pinned' : 'keys-in-pack',
    withheld: list?.withheld.map(({ path, why }) => ({ path, why })) ?? [],
    checks,
    faults,
  }
}

function redactionOf(all: ReadonlyMap<string, Uint8Array>): { faults: Faults; list: Redaction | null } {
  const faults = new Faults()
  for (const path of all.keys())
    if (!path.startsWith(KEPT) && path !== REDACTION && path !== REDACTED_GUIDE) faults.add(path, 'does not belong beside a redacted pack')
  const bytes = all.get(REDACTION)
  if (bytes === undefined) {
    faults.add(REDACTION, 'is missing')
    return { faults, list: null }
  }
  const list = parseAs(bytes, REDACTION, redaction, faults)
  if (list === null) return { faults, list }
  if (!Buffer.from(canonicalBytes(list)).equals(bytes)) faults.add(REDACTION, 'is not in its canonical form')
  const guide = all.get(REDACTED_GUIDE)
  if (guide === undefined) faults.add(REDACTED_GUIDE, 'is missing')
  else if (Buffer.from(guide).toString('utf8') !== redactedGuide(list.project_id))
    faults.add(REDACTED_GUIDE, 'is not the guide of a redacted pack')
  return { faults, list }
}

/** Every stub says what the sealed manifest says: what is withheld can be asked for later and compared. */
function digestFaults(files: OpenedPack['files'], manifest: PackManifest | null, list: Redaction | null): Faults {
  const faults = new Faults()
  const bytes = files.get(MANIFEST)
  if (manifest === null || list === null || bytes === undefined) return faults
  if (list.manifest_sha256 !== sha256(bytes)) faults.add(REDACTION, 'is about another pack')
  if (list.project_id !== manifest.project_id)
    faults.add(REDACTION, `belongs to project ${list.project_id}, the pack to ${manifest.project_id}`)
  const listed = new Map(manifest.files.map((file) => [file.path, file]))
  const order = list.withheld.map(({ path }) => path)
  if (order.some((path, index) => index > 0 && path <= order[index - 1]!))
    faults.add(REDACTION, 'does not name each file once, in path order')
  for (const { path, sha256, bytes: size, why } of list.withheld) {
    if (why !== whyWithheld(path)) faults.add(REDACTION, `gives a reason for ${path} that is not Waybill's`)
    const file = listed.get(path)
    if (file === undefined) faults.add(REDACTION, `withholds ${path}, which was never in the pack`)
    else if (file.sha256 !== sha256 || file.bytes !== size) faults.add(REDACTION, `says something else about ${path} than the manifest`)
    // Without the keys no signature could be checked, and withholding them would look like a pack that has none.
    if (path.startsWith('keys/')) faults.add(REDACTION, `withholds ${path}, without which nothing can be verified`)
  }
  return faults
}
