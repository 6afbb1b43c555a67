import { canonicalJson } from './canonical-json.ts'
import type { SystemIdentity } from './schemas/identity.ts'

/** Every part has to agree: a system of which less is known than before is not known to be the same. */
export function sameSystem(one: SystemIdentity, other: SystemIdentity): boolean {
  return canonicalJson(one) === canonicalJson(other)
}

/** The very same database, by whatever address it was reached. Only what is known for certain counts: a standby has its primary's identifier. */
export function sameDatabase(one: SystemIdentity, other: SystemIdentity): boolean {
  if (one.kind !== 'postgresql' || other.kind !== 'postgresql' || one.database_oid !== other.database_oid) return false
  return one.server === other.server
}

/** For people: database and server, or the files with the beginning of each digest. */
export function identityInWords(identity: SystemIdentity): string {
  if (identity.kind === 'postgresql') {
    const known = identity.system_identifier === null ? 'system identifier not readable' : `system ${identity.system_identifier}`
    return `database "${identity.database}" (oid ${identity.database_oid}) at ${identity.server}, ${known}`
  }
  const few = identity.files.slice(0, 5).map((file) => `${file.path} (${file.bytes} bytes, SHA-256 ${file.sha256.slice(0, 12)}…)`)
  const more = identity.files.length - few.length
  return `${few.join(', ')}${more > 0 ? ` and ${more} more files` : ''}`
}
