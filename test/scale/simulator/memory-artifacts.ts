import { sha256 } from '../../../layers/core/digest.ts'
import { WaybillError } from '../../../layers/core/errors.ts'
import type { ArtifactStore, Clock } from '../../../layers/core/ports.ts'

/** Artifacts in memory: keeps the contract of the port, and nothing after the process. */
export function memoryArtifacts(clock: Clock): ArtifactStore & { sizes(): Map<string, number> } {
  const kept = new Map<string, { bytes: Uint8Array; sha256: string; retainUntil: Date }>()
  const pointer = (key: string, digest: string) => ({ uri: `${BUCKET}${key}`, version_id: VERSION, sha256: digest })
  const keyOf = (uri: string) => {
    if (!uri.startsWith(BUCKET)) throw new WaybillError('NOT_FOUND', 'The artifact lies outside the evidence bucket.')
    return uri.slice(BUCKET.length)
  }
  return {
    sizes: () => new Map([...kept].map(([key, { bytes }]) => [key, bytes.length])),
    async put(key, given, { retainUntil }) {
      const bytes = Uint8Array.from(given)
      const digest = sha256(bytes)
      const there = kept.get(key)
      if (there !== undefined && there.sha256 !== digest) throw new WaybillError('ALREADY_EXISTS', `Other bytes lie under ${key}.`)
      if (there === undefined) kept.set(key, { bytes, sha256: digest, retainUntil })
      return pointer(key, digest)
    },
    async find(key) {
      const there = kept.get(key)
      return there === undefined ? null : pointer(key, there.sha256)
    },
    async get({ uri, version_id, sha256: digest }) {
      const there = kept.get(keyOf(uri))
      if (there === undefined || version_id !== VERSION) throw new WaybillError('NOT_FOUND', 'There is no such artifact.')
      if (there.sha256 !== digest) throw new WaybillError('EVIDENCE_INVALID', `The bytes of ${keyOf(uri)} are not the pointer's.`)
      return Uint8Array.from(there.bytes)
    },
    list: async (prefix) => [...kept.keys()].filter((key) => key.startsWith(prefix)).sort(),
    async remove({ uri }) {
      const there = kept.get(keyOf(uri))
      if (there === undefined) throw new WaybillError('NOT_FOUND', 'There is no such artifact.')
      if (clock.now() < there.retainUntil) throw new WaybillError('RETENTION_ACTIVE', 'Its retention has not ended.')
      kept.delete(keyOf(uri))
    },
  }
}

/** Names as long as those in an account, so that payloads are as large as there. */
const BUCKET = 's3://waybill-prod-evidence-111111111111-us-east-1/'
const VERSION = 'v'.repeat(32)
