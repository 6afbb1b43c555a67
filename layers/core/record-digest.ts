import { digestOf } from './canonical-json.ts'
import type { ProjectRecord } from './schemas/project.ts'

/**
 * What a project record holds, save times and a failure's words; `state` and `revision` stand in the entry beside it. SHA-256, hex. The entry that tells of a revision names it as
 * `change_sha256`.
 */
export function recordDigest(record: ProjectRecord): string {
  const { failed_from, failure, title, migration_id, author, archetype_id, plan_version, clean_runs, recon_fence, artifacts } = record
  return digestOf({
    failed_from,
    failure: failure?.code ?? null,
    title,
    migration_id,
    author,
    archetype_id,
    plan_version,
    clean_runs,
    ...(recon_fence === undefined ? {} : { recon_fence }),
    artifacts,
  })
}
