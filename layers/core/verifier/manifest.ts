import { canonicalBytes } from '../canonical-json.ts'
import { sha256 } from '../digest.ts'
import { checksumLines } from '../evidence/pack.ts'
import { MANIFEST, OUTSIDE_MANIFEST } from '../evidence/pack-files.ts'
import { TIMESTAMP_RESPONSES } from '../evidence/timestamp-request.ts'
import { type PackManifest, packManifest, packPath } from '../schemas/evidence.ts'
import { Faults, type OpenedPack, parseAs } from './pack-reader.ts'

/**
 * The manifest lists exactly the files that are there, and each is byte for byte the one that was sealed.
 * @param withheld paths that a redaction took out; they may be missing, and must be
 */
export function manifestFaults(
  pack: OpenedPack,
  withheld: ReadonlySet<string> = new Set(),
): { faults: Faults; manifest: PackManifest | null } {
  const faults = new Faults()
  for (const path of OUTSIDE_MANIFEST) if (!pack.files.has(path)) faults.add(path, 'is missing')
  const allowed = [...OUTSIDE_MANIFEST, ...TIMESTAMP_RESPONSES]
  const bytes = pack.files.get(MANIFEST)
  const manifest = bytes === undefined ? null : parseAs(bytes, MANIFEST, packManifest, faults)
  if (manifest === null || bytes === undefined) return { faults, manifest: null }
  // One form: reordered, reformatted or repeated entries are other bytes than the ones that were sealed.
  if (!Buffer.from(canonicalBytes(manifest)).equals(bytes)) faults.add(MANIFEST, 'is not in its canonical form')

  const listed = new Map(manifest.files.map((file) => [file.path, file]))
  if (listed.size !== manifest.files.length) faults.add(MANIFEST, 'lists a file twice')
  for (const [path, file] of listed) {
    const content = pack.files.get(path)
    if (allowed.includes(path)) faults.add(path, 'is listed in the manifest that it carries, seals or stamps')
    else if (withheld.has(path)) {
      if (content !== undefined) faults.add(path, 'is here although it is said to be withheld')
    } else if (content === undefined) faults.add(path, 'is missing: the manifest lists it')
    else if (sha256(content) !== file.sha256) faults.add(path, 'was changed: its SHA-256 is not the one in the manifest')
    else if (String(content.length) !== file.bytes) faults.add(path, `has ${content.length} bytes, the manifest says ${file.bytes}`)
  }
  for (const path of pack.files.keys()) {
    if (!packPath.safeParse(path).success) faults.add(JSON.stringify(path), 'is no name for a file of a pack')
    if (!listed.has(path) && !allowed.includes(path)) faults.add(path, 'does not belong here: the manifest does not list it')
  }
  sumsFaults(pack, manifest, faults)
  return { faults, manifest }
}

/** `SHA256SUMS` is for `sha256sum`; it must say what the manifest says, or an auditor without Waybill would be told otherwise. */
function sumsFaults(pack: OpenedPack, manifest: PackManifest, faults: Faults): void {
  const sums = pack.files.get('SHA256SUMS')
  if (sums === undefined) return
  const files = manifest.files
    .filter(({ path }) => path !== 'SHA256SUMS')
    .flatMap(({ path }) => {
      const bytes = pack.files.get(path)
      return bytes === undefined ? [] : [{ path, bytes }]
    })
  if (!Buffer.from(checksumLines(files)).equals(sums)) faults.add('SHA256SUMS', 'does not say what the manifest says')
}
