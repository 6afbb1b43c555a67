import { canonicalJson } from './canonical-json.ts'
import type { SystemIdentity } from './schemas/identity.ts'

/** Every part has to agree: a system of which less is known than before is not known to be the same. */
export function sameSystem(one: SystemIdentity, other: SystemIdentity): boolean {
  return canonicalJson(one) === canonicalJson(other)
}

/** What a connection reached: which system, and what tells the server that answers now (`Source.running`). */
export type Reached = { identity: SystemIdentity; running: string | null }

/**
 * The very same database, by whatever address it was reached: a socket, another name, a forwarded port, a pooler. Its oid together with the
 * server's start, to the microsecond, tells. A standby or a restored copy has its primary's identifier and oid and was started at another
 * moment. Where the start is not known, one address is one server. A machine copied in full with its server running would be taken for the
 * same: refused, and never called equal.
 */
export function sameDatabase(one: Reached, other: Reached): boolean {
  const [a, b] = [one.identity, other.identity]
  if (a.kind !== 'postgresql' || b.kind !== 'postgresql' || a.database_oid !== b.database_oid) return false
  if (a.system_identifier !== null && b.system_identifier !== null && a.system_identifier !== b.system_identifier) return false
  return a.server === b.server || (one.running !== null && one.running === other.running)
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
