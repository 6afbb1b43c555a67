import { parseStrictJson } from '../canonical-json.ts'
import { sha256 } from '../digest.ts'
import { WaybillError } from '../errors.ts'
import { packManifest, type Redaction } from '../schemas/evidence.ts'
import { jsonFile, MANIFEST, OUTSIDE_MANIFEST, ordered, type PackFile, textFile } from './pack-files.ts'
import { redactedGuide } from './redacted-guide.ts'
import { TIMESTAMP_RESPONSES } from './timestamp-request.ts'

/** Where the files of the pack lie that are still there. */
export const KEPT = 'pack/'
export const REDACTION = 'redaction.json'
export const REDACTED_GUIDE = 'VERIFY.md'

/**
 * What outsiders get: the proof, its roots, the anchors, the links between them by digest, the public rules, the keys. None of these
 * names a person, a column or a value. Whatever is not in this list is withheld, so that a new kind of file cannot slip out.
 */
const SHOWN: readonly RegExp[] = [
  /^keys\//,
  /^merkle\.json$/,
  /^audit_chain\.json$/,
  /^audit\/anchors\//,
  /^(recon\/)?proof_certificate(\.[^/]+)?\.(dsse\.json|pae\.bin|sig\.der|pub\.pem|sigstore\.json)$/,
  /^plan\/(hashing_spec|type_coercion_rulebook|archetype)\.json$/,
]

const REASONS: readonly (readonly [RegExp, string])[] = [
  [/^approvals\//, 'names people'],
  [/^waivers\//, 'names people'],
  [/^audit\//, 'names people'],
  [/^plan\//, 'names people, tables or columns'],
  [/^recon\//, 'names tables and columns, and shows how rows differ'],
  [/^code\//, 'names tables and columns'],
  [/^cutover\//, 'names people and systems'],
  [/^(outcome\.json|report\.)/, 'names people, tables and columns'],
  [/^(SHA256SUMS|VERIFY\.md)$/, 'is about the whole pack'],
]

const shown = (path: string): boolean => SHOWN.some((pattern) => pattern.test(path))

/** Why a file is not here. It follows from the path: a stub is not sealed, and must not carry words of whoever passed it on. */
export function whyWithheld(path: string): string {
  if (shown(path)) return 'was withheld by whoever made this redaction'
  return REASONS.find(([pattern]) => pattern.test(path))?.[1] ?? 'is not among what outsiders are shown'
}

/**
 * A pack without what outsiders must not see. What stays is byte for byte what was sealed, under `pack/`; what goes is named with its
 * sealed digest in `redaction.json`. Nothing is written over or replaced by a pseudonym: a signature over other bytes would be needed.
 * @param files a whole pack that was verified
 * @param also paths to withhold besides; a signed statement goes with all its forms
 * @throws EVIDENCE_INVALID when there is no manifest, BAD_INPUT for a path in `also` that the pack does not list or cannot do without
 */
export function redactedPack(files: ReadonlyMap<string, Uint8Array>, also: readonly string[] = []): PackFile[] {
  const manifestBytes = files.get(MANIFEST)
  if (manifestBytes === undefined) throw new WaybillError('EVIDENCE_INVALID', `there is no ${MANIFEST} to redact by`)
  const manifest = packManifest.parse(parseStrictJson(manifestBytes))
  const wanted = new Set(also.flatMap((path) => formsOf(path)))
  for (const path of also) {
    if (path.startsWith('keys/') || !manifest.files.some((file) => file.path === path))
      throw new WaybillError('BAD_INPUT', `${path} cannot be withheld: the pack does not list it, or nothing could be verified without it`)
  }
  const withheld = manifest.files
    .filter(({ path }) => !shown(path) || wanted.has(path))
    .map(({ path, sha256, bytes }) => ({ path, sha256, bytes, why: whyWithheld(path) }))
  const gone = new Set(withheld.map(({ path }) => path))
  const outside = [...OUTSIDE_MANIFEST, ...TIMESTAMP_RESPONSES]
  const kept = [...files].filter(
    ([path]) => outside.includes(path) || (manifest.files.some((file) => file.path === path) && !gone.has(path)),
  )
  const list: Redaction = {
    schema: 'waybill/redaction/v1',
    project_id: manifest.project_id,
    manifest_sha256: sha256(manifestBytes),
    withheld,
  }
  return ordered([
    ...kept.map(([path, bytes]) => ({ path: `${KEPT}${path}`, bytes })),
    jsonFile(REDACTION, list),
    textFile(REDACTED_GUIDE, redactedGuide(manifest.project_id)),
  ])
}

function formsOf(path: string): string[] {
  const stem = /^(.*)\.(?:dsse\.json|pae\.bin|sig\.der|pub\.pem|sigstore\.json)$/.exec(path)?.[1]
  return stem === undefined ? [path] : ['dsse.json', 'pae.bin', 'sig.der', 'pub.pem', 'sigstore.json'].map((form) => `${stem}.${form}`)
}
