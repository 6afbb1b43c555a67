import { z } from 'zod'
import { count, sha256Hex, slug } from './common.ts'

/**
 * Which system this is, so that a variable or secret that leads elsewhere later is noticed. A copy within one server has another oid; another
 * server has another system identifier; a physical copy has the same of both and is told apart by where it answers.
 *
 * The address is compared as well, as the connection names it: proving a physical copy in place of the system that was migrated to is worse
 * than being refused. A failover stays possible behind a name that follows the primary; where the name changes, people plan again.
 */
export const postgresIdentity = z.strictObject({
  kind: z.literal('postgresql'),
  /** `host:port` as the connection names it; the folder of a local socket counts as host. */
  server: z.string().min(1).max(1100),
  /** From the server's control file; null where this role may not read it, and then address, oid and name have to do. */
  system_identifier: z
    .string()
    .regex(/^[0-9]{1,20}$/)
    .nullable(),
  database_oid: z.string().regex(/^[0-9]{1,10}$/),
  database: z.string().min(1).max(256),
})

/** Files are what is in them. Paths are relative to the folder of the source, which may lie elsewhere tomorrow. */
export const filesIdentity = z.strictObject({
  kind: z.literal('files'),
  files: z.array(z.strictObject({ path: z.string().min(1).max(4096), bytes: count, sha256: sha256Hex })).min(1),
})

export const systemIdentity = z.discriminatedUnion('kind', [postgresIdentity, filesIdentity])
export type SystemIdentity = z.infer<typeof systemIdentity>

/** Both ends of a migration, as they were when something was done. */
export const endIdentities = z.strictObject({ source: systemIdentity, target: systemIdentity })
export type EndIdentities = z.infer<typeof endIdentities>

/** Beside a stored comparison of one table pair: under which plan, in which run and in which systems it was made. */
export const comparedUnder = endIdentities.extend({ plan_sha256: sha256Hex, run_id: slug, table_id: slug })
