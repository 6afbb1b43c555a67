import type { DatabaseSync } from 'node:sqlite'
import { WaybillError } from '../core/errors.ts'
import type { ApprovalStore } from '../core/ports.ts'
import { type ApprovalGroup, type ApprovalRequest, approvalGroup, approvalRequest, openGroup } from '../core/schemas/governance.ts'
import { transaction } from './database.ts'
import { checked, stored } from './record.ts'
import type { TokenSeal } from './token-seal.ts'

/** Requests and their groups in SQLite; the task token lies there sealed. */
export function sqliteApprovalStore({ db, seal }: { db: DatabaseSync; seal: TokenSeal }): ApprovalStore {
  const addGroup = db.prepare(
    'INSERT INTO approval_groups (group_id, project_id, expires_at, told_at, sealed_token) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING',
  )
  const addRequest = db.prepare(
    'INSERT INTO approval_requests (approval_id, group_id, project_id, status, decision, body) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING',
  )
  const oneRequest = db.prepare('SELECT body FROM approval_requests WHERE approval_id = ?')
  const inGroup = db.prepare('SELECT body FROM approval_requests WHERE group_id = ? ORDER BY approval_id')
  const inProject = db.prepare('SELECT body FROM approval_requests WHERE project_id = ? ORDER BY approval_id')
  const oneGroup = db.prepare('SELECT * FROM approval_groups WHERE group_id = ?')
  const setDecided = db.prepare(
    "UPDATE approval_requests SET status = 'DECIDED', decision = ?, body = ? WHERE approval_id = ? AND status = 'PENDING'",
  )
  const setWithdrawn = db.prepare(
    "UPDATE approval_requests SET decision = 'WITHDRAWN', body = ? WHERE approval_id = ? AND decision = 'APPROVED'",
  )
  const setTold = db.prepare('UPDATE approval_groups SET told_at = coalesce(told_at, ?) WHERE group_id = ?')
  const open = db.prepare(
    `SELECT group_id, project_id, expires_at FROM approval_groups
     WHERE told_at IS NULL AND group_id NOT IN (SELECT group_id FROM closed_groups) ORDER BY group_id`,
  )
  const setClosed = db.prepare('INSERT INTO closed_groups (group_id) VALUES (?) ON CONFLICT DO NOTHING')

  const requestOf = (row: Record<string, unknown>) => stored(approvalRequest, row.body, 'An approval request')
  const groupOf = (row: Record<string, unknown>): ApprovalGroup =>
    checked(
      approvalGroup,
      {
        group_id: row.group_id,
        project_id: row.project_id,
        told_at: row.told_at,
        expires_at: row.expires_at,
        task_token: seal.open(row.sealed_token as Uint8Array, context(String(row.project_id), String(row.group_id))),
      },
      'an approval group',
    )
  const add = (request: ApprovalRequest): boolean => {
    const { approval_id, group_id, project_id, status, decision } = request
    return addRequest.run(approval_id, group_id, project_id, status, decision, JSON.stringify(request)).changes > 0
  }
  /** Somebody who joins a group is asked what the group asks, in its project. */
  const addTo = (request: ApprovalRequest): void => {
    const pending = checked(approvalRequest, request, 'an approval request')
    const group = oneGroup.get(pending.group_id)
    if (group === undefined) throw missing('group')
    if (pending.status !== 'PENDING' || group.project_id !== pending.project_id)
      throw new WaybillError(
        'BAD_INPUT',
        'Whoever joins a group has not decided yet and is asked about the same project; nothing was stored.',
      )
    if (!add(pending)) throw taken(pending.group_id)
  }
  const taken = (groupId: string) =>
    new WaybillError('ALREADY_EXISTS', `The approval group ${groupId}, or a request in it, exists already.`)

  return {
    async open(group, requests) {
      const body = checked(approvalGroup, group, 'an approval group')
      const asked = requests.map((request) => checked(approvalRequest, request, 'an approval request'))
      if (asked.some((request) => request.group_id !== body.group_id || request.project_id !== body.project_id))
        throw new WaybillError('BAD_INPUT', 'Every request of a group names that group and its project; nothing was stored.')
      const sealed = seal.close(body.task_token, context(body.project_id, body.group_id))
      transaction(db, () => {
        if (addGroup.run(body.group_id, body.project_id, body.expires_at, body.told_at, sealed).changes === 0) throw taken(body.group_id)
        for (const request of asked) {
          if (!add(request)) throw taken(body.group_id)
        }
      })
    },

    async request(approvalId) {
      const row = oneRequest.get(approvalId)
      if (row === undefined) throw missing('request')
      return requestOf(row)
    },

    async requests(groupId) {
      return inGroup.all(groupId).map(requestOf)
    },

    async group(groupId) {
      const row = oneGroup.get(groupId)
      if (row === undefined) throw missing('group')
      return groupOf(row)
    },

    async toldAt(groupId) {
      const row = oneGroup.get(groupId)
      if (row === undefined) throw missing('group')
      return checked(approvalGroup.shape.told_at, row.told_at, 'an approval group')
    },

    async decide(request, next) {
      const decided = checked(approvalRequest, request, 'an approval request')
      if (decided.status !== 'DECIDED') throw new WaybillError('BAD_INPUT', 'Only a decided request can be stored as a decision.')
      // Commit point: PENDING → DECIDED happens once. Who was asked, and about what, cannot change with it.
      transaction(db, () => {
        const row = oneRequest.get(decided.approval_id)
        if (row === undefined) throw missing('request')
        const { decision, reason, answers, decided_at, statement } = decided
        const body = JSON.stringify({ ...requestOf(row), status: 'DECIDED', decision, reason, answers, decided_at, statement })
        if (setDecided.run(decision, body, decided.approval_id).changes === 0)
          throw new WaybillError('CONFLICT', 'This request was decided already; the first decision stands.')
        if (next !== undefined) addTo(next)
      })
    },

    async join(request) {
      transaction(db, () => addTo(request))
    },

    async withdraw(request, next) {
      // Commit point: APPROVED → WITHDRAWN happens once, and the seat is asked again in the same write.
      transaction(db, () => {
        const row = oneRequest.get(request.approval_id)
        if (row === undefined) throw missing('request')
        const body = JSON.stringify(checked(approvalRequest, { ...requestOf(row), decision: 'WITHDRAWN' }, 'an approval request'))
        if (setWithdrawn.run(body, request.approval_id).changes === 0)
          throw new WaybillError('CONFLICT', 'Only an approval that stands can be withdrawn, once.')
        addTo(next)
      })
    },

    async told(groupId, at) {
      if (setTold.run(at, groupId).changes === 0) throw missing('group')
    },

    async untold() {
      return open.all().map((row) => checked(openGroup, { ...row }, 'an approval group'))
    },

    async close(groupId) {
      transaction(db, () => {
        if (oneGroup.get(groupId) === undefined) throw missing('group')
        setClosed.run(groupId)
      })
    },

    async byProject(projectId) {
      return inProject.all(projectId).map(requestOf)
    },
  }
}

function missing(what: 'request' | 'group'): WaybillError {
  return new WaybillError('NOT_FOUND', `There is no such approval ${what}.`)
}

function context(projectId: string, groupId: string): string {
  return JSON.stringify({ use: 'task-token', project_id: projectId, group_id: groupId })
}
