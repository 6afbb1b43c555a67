import { readFile } from 'node:fs/promises'
import { type AuditReview, reviewAudit } from '../../layers/core/audit-review.ts'
import { isWaybillError, WaybillError } from '../../layers/core/errors.ts'
import type { TrustRoot } from '../../layers/core/ports.ts'
import { standingOf } from '../../layers/core/project-change.ts'
import type { AuditEntry } from '../../layers/core/schemas/governance.ts'
import type { Place, Records, StoredAnchors } from '../platform/platform.ts'

/** `fault`: the log could not even be read as entries. `record`: nor the project's own record, as a record. */
export type Log = { project: string; entries: AuditEntry[]; fault: string | null; record: string | null }

type Ports = Place['ports']

export async function logsOf({ ports, name }: Pick<Place, 'ports' | 'name'>, only: string | undefined): Promise<Log[]> {
  // A log may be there without its project: a deleted record must not hide it.
  const projects = only === undefined ? await everyProject(ports) : [{ project: only, record: await recordFault(ports, only) }]
  const logs = await Promise.all(
    projects.map(async ({ project, record }): Promise<Log> => {
      try {
        return { project, entries: await ports.audit.read(project), fault: null, record }
      } catch (error) {
        if (!isWaybillError(error) || error.code !== 'EVIDENCE_INVALID') throw error
        return { project, entries: [], fault: error.message, record }
      }
    }),
  )
  if (only !== undefined && logs[0]?.entries.length === 0 && logs[0].fault === null)
    throw new WaybillError('NOT_FOUND', `There is no audit log of ${only} in ${name}.`)
  return logs
}

async function everyProject(ports: Ports): Promise<Pick<Log, 'project' | 'record'>[]> {
  const { records, unreadable } = await ports.projects.list()
  const named = [
    ...records.map(({ project_id }) => ({ project: project_id, record: null })),
    ...unreadable.map(({ project_id, says }) => ({ project: project_id, record: says })),
  ]
  return named.sort((a, b) => (a.project < b.project ? -1 : 1))
}

async function recordFault(ports: Ports, projectId: string): Promise<string | null> {
  try {
    await ports.projects.get(projectId)
  } catch (error) {
    if (!isWaybillError(error) || (error.code !== 'EVIDENCE_INVALID' && error.code !== 'NOT_FOUND')) throw error
    if (error.code === 'EVIDENCE_INVALID') return error.message
  }
  return null
}

export async function reviewOf(
  { ports, ...records }: Pick<Records, 'ports' | 'anchors'>,
  { project, entries, fault }: Pick<Log, 'project' | 'entries' | 'fault'>,
  { trust, kept }: { trust: TrustRoot; kept: StoredAnchors['anchors'] },
): Promise<AuditReview> {
  const unreadable = fault === null ? [] : [fault]
  const { anchors, faults } = await records.anchors(project)
  unreadable.push(...faults)
  // A migration may be running: where record and log agree, they are judged as they stand together.
  const standing = await standingOf(ports, project, { entries }).catch(() => null)
  const stored =
    standing?.record ??
    (await ports.projects.get(project).catch((error: unknown) => {
      if (!isWaybillError(error)) throw error
      unreadable.push(`the project's own record cannot be read: ${error.message}`)
      return null
    }))
  const review = reviewAudit({
    projectId: project,
    entries: standing?.entries ?? entries,
    anchors: [...kept, ...anchors],
    trust,
    reasonings: await reasoningsOf(ports, project),
    stored,
  })
  return { ...review, faults: [...unreadable, ...review.faults] }
}

/** `projects/<id>/<agent>_reasoning/<part>.json`, and nothing that lies deeper: see `keysIn`. */
const REASONING = /^projects\/[^/]+\/[a-z_]+_reasoning\/[^/]+$/

async function reasoningsOf(ports: Ports, project: string): Promise<Set<string>> {
  const keys = (await ports.artifacts.list(`projects/${project}/`)).filter((key) => REASONING.test(key))
  const found = await Promise.all(keys.map((key) => ports.artifacts.find(key)))
  return new Set(found.flatMap((pointer) => pointer?.sha256 ?? []))
}

export async function keptAnchor(path: string): Promise<{ name: string; bytes: Uint8Array }> {
  try {
    return { name: path, bytes: await readFile(path) }
  } catch (cause) {
    throw new WaybillError('NOT_FOUND', `${path} cannot be read. Give an anchor's *.dsse.json, from a pack or a copy.`, { cause })
  }
}
