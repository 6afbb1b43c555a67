import { WaybillError } from '../../../layers/core/errors.ts'
import type { Anchors, AuditLog, Clock, ProjectStore, Written } from '../../../layers/core/ports.ts'
import { checkTold } from '../../../layers/core/project-change.ts'
import type { AuditEntry } from '../../../layers/core/schemas/governance.ts'
import type { ProjectRecord } from '../../../layers/core/schemas/project.ts'

/** Called before each write; throwing there is a crash before it, `after` a crash just after it. */
export type Faults = { before?: (what: string) => void; after?: (what: string) => void }

/** Stores that obey the ports' contracts and count what happened. */
export function memoryPorts(faults: Faults = {}) {
  const records = new Map<string, ProjectRecord>()
  const chains = new Map<string, AuditEntry[]>()
  const anchored: string[] = []
  /** Sequence number of the head under each anchor. */
  const heads: number[] = []
  let seconds = 0
  const write = <T>(what: string, act: () => T): T => {
    faults.before?.(what)
    const outcome = act()
    faults.after?.(what)
    return outcome
  }
  const follows = (entry: AuditEntry): boolean => {
    const head = chains.get(entry.project_id)?.at(-1)
    return entry.seq === (head?.seq ?? -1) + 1 && (head === undefined || entry.prev_sha256 === head.entry_sha256)
  }
  const push = (entry: AuditEntry): void => {
    chains.set(entry.project_id, [...(chains.get(entry.project_id) ?? []), structuredClone(entry)])
  }
  const both = (record: ProjectRecord, entry: AuditEntry): Written => {
    checkTold(record, entry)
    if ((records.get(record.project_id)?.revision ?? 0) !== record.revision - 1) return 'REVISION_MOVED'
    if (!follows(entry)) return 'HEAD_MOVED'
    push(entry)
    records.set(record.project_id, structuredClone(record))
    return 'WRITTEN'
  }
  const clock: Clock = { now: () => new Date(Date.parse('2026-03-02T10:00:00.000Z') + 1000 * seconds++) }
  const projects: ProjectStore = {
    async create(record, entry) {
      return write('create', () => {
        if (records.has(record.project_id)) throw new WaybillError('ALREADY_EXISTS', 'taken')
        return both(record, entry)
      })
    },
    async get(projectId) {
      const record = records.get(projectId)
      if (record === undefined) throw new WaybillError('NOT_FOUND', 'no such project')
      return structuredClone(record)
    },
    async update(record, entry) {
      return write('update', () => {
        if (!records.has(record.project_id)) throw new WaybillError('NOT_FOUND', 'no such project')
        return both(record, entry)
      })
    },
    list: async () => ({ records: [...records.values()], unreadable: [] }),
  }
  const audit: AuditLog = {
    head: async (projectId) => chains.get(projectId)?.at(-1) ?? null,
    async append(entry) {
      write('append', () => {
        if (!follows(entry)) throw new WaybillError('CONFLICT', 'another head')
        push(entry)
      })
    },
    read: async (projectId, from = 0) => structuredClone((chains.get(projectId) ?? []).slice(from)),
  }
  const anchors: Anchors = {
    async anchor(projectId) {
      write('anchor', () => {
        anchored.push(projectId)
        heads.push((chains.get(projectId)?.length ?? 0) - 1)
      })
    },
  }
  /** Past the store, as somebody can who may write to it; null takes the record away. */
  const put = (record: ProjectRecord | null) => {
    if (record === null) records.clear()
    else records.set(record.project_id, record)
  }
  const stored = (projectId: string) => records.get(projectId)
  return { projects, audit, put, stored, clock, anchors, anchored, heads, chain: (projectId: string) => chains.get(projectId) ?? [] }
}
