import { WaybillError } from '../../../layers/core/errors.ts'
import type { Anchors, AuditLog, Clock, ProjectStore } from '../../../layers/core/ports.ts'
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
  const write = (what: string, act: () => void): void => {
    faults.before?.(what)
    act()
    faults.after?.(what)
  }
  const clock: Clock = { now: () => new Date(Date.parse('2026-03-02T10:00:00.000Z') + 1000 * seconds++) }
  const projects: ProjectStore = {
    async create(record) {
      write('create', () => {
        if (records.has(record.project_id)) throw new WaybillError('ALREADY_EXISTS', 'taken')
        records.set(record.project_id, structuredClone(record))
      })
    },
    async get(projectId) {
      const record = records.get(projectId)
      if (record === undefined) throw new WaybillError('NOT_FOUND', 'no such project')
      return structuredClone(record)
    },
    async update(record) {
      write('update', () => {
        if (records.get(record.project_id)?.revision !== record.revision - 1) throw new WaybillError('CONFLICT', 'another revision')
        records.set(record.project_id, structuredClone(record))
      })
    },
    list: async () => [...records.values()],
  }
  const audit: AuditLog = {
    head: async (projectId) => chains.get(projectId)?.at(-1) ?? null,
    async append(entry) {
      write('append', () => {
        const chain = chains.get(entry.project_id) ?? []
        if (chain.length !== entry.seq) throw new WaybillError('CONFLICT', 'another head')
        chains.set(entry.project_id, [...chain, structuredClone(entry)])
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
  return { projects, audit, clock, anchors, anchored, heads, chain: (projectId: string) => chains.get(projectId) ?? [] }
}
