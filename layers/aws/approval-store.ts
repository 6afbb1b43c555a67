import { type DynamoDBDocumentClient, GetCommand, QueryCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import { WaybillError } from '../core/errors.ts'
import { atOnce } from '../core/flow/at-once.ts'
import type { ApprovalStore } from '../core/ports.ts'
import { type ApprovalGroup, type ApprovalRequest, approvalGroup, approvalRequest, openGroup } from '../core/schemas/governance.ts'
import { asWaybillError, brokenCondition, sdkErrorName } from './sdk-errors.ts'
import type { TokenSeal } from './token-seal.ts'
import { transact } from './transaction.ts'

/** Sparse index over groups whose state machine may still wait: neither told nor closed. */
export const OUTBOX_INDEX = 'outbox'
export const PROJECT_INDEX = 'by-project'

/** A transaction holds 100 actions: one group, and two items a request. */
const MAX_REQUESTS = 49

/**
 * One table, keys `pk` and `sk`:
 *   `group#<id>`   `group`          the group; its task token sealed; `outbox = 'open'` until told or closed
 *   `group#<id>`   `request#<id>`   one request, so that a group's requests are read consistently
 *   `request#<id>` `pointer`        which group a request belongs to
 */
export function dynamoApprovalStore({ db, table, seal }: { db: DynamoDBDocumentClient; table: string; seal: TokenSeal }): ApprovalStore {
  const groupKey = (groupId: string) => ({ pk: `group#${groupId}`, sk: 'group' })
  const requestKey = (groupId: string, approvalId: string) => ({ pk: `group#${groupId}`, sk: `request#${approvalId}` })

  const item = async (Key: Record<string, string>) =>
    (
      await db.send(new GetCommand({ TableName: table, Key, ConsistentRead: true })).catch((error) => {
        throw asWaybillError(error, 'Reading an approval')
      })
    ).Item

  const query = async (input: Omit<ConstructorParameters<typeof QueryCommand>[0], 'TableName'>) => {
    const items: Record<string, unknown>[] = []
    let from: Record<string, unknown> | undefined
    do {
      const page = await db
        .send(new QueryCommand({ ...input, TableName: table, ...(from === undefined ? {} : { ExclusiveStartKey: from }) }))
        .catch((error) => {
          throw asWaybillError(error, 'Reading approvals')
        })
      items.push(...(page.Items ?? []))
      from = page.LastEvaluatedKey
    } while (from !== undefined)
    return items
  }

  const requests = async (groupId: string) =>
    (
      await query({
        KeyConditionExpression: 'pk = :pk AND begins_with(sk, :sk)',
        ExpressionAttributeValues: { ':pk': `group#${groupId}`, ':sk': 'request#' },
        ConsistentRead: true,
      })
    ).map(requestOf)

  const groupOf = async (stored: Record<string, unknown>): Promise<ApprovalGroup> =>
    approvalGroup.parse({
      group_id: stored.group_id,
      project_id: stored.project_id,
      told_at: stored.told_at ?? null,
      expires_at: stored.expires_at,
      task_token: await seal.open(stored.sealed_token as Uint8Array, tokenContext(String(stored.project_id), String(stored.group_id))),
    })

  const pointer = async (approvalId: string): Promise<string> => {
    const found = await item({ pk: `request#${approvalId}`, sk: 'pointer' })
    if (found === undefined) throw new WaybillError('NOT_FOUND', 'There is no such approval request.')
    return String(found.group_id)
  }

  /** Two items a request, neither of which may be there yet. */
  const puts = (request: ApprovalRequest) => {
    const once = { TableName: table, ConditionExpression: 'attribute_not_exists(pk)' }
    const body = approvalRequest.parse(request)
    return [
      {
        Put: {
          ...once,
          Item: {
            ...requestKey(body.group_id, body.approval_id),
            asked_in: body.project_id,
            approval_id: body.approval_id,
            status: body.status,
            body: JSON.stringify(body),
          },
        },
      },
      { Put: { ...once, Item: { pk: `request#${body.approval_id}`, sk: 'pointer', group_id: body.group_id } } },
    ]
  }

  /** Somebody who joins a group is asked what the group asks, in its project. */
  const joining = (request: ApprovalRequest) => {
    if (request.status !== 'PENDING') throw new WaybillError('BAD_INPUT', 'Whoever joins a group has not decided yet; nothing was stored.')
    const group = {
      ConditionCheck: {
        TableName: table,
        Key: groupKey(request.group_id),
        ConditionExpression: 'attribute_exists(pk) AND project_id = :project',
        ExpressionAttributeValues: { ':project': request.project_id },
      },
    }
    return [group, ...puts(request)]
  }

  /** Replaces the stored body of one request that is still as it was read, and lets another join, in one transaction. */
  const replace = async (before: Record<string, unknown>, after: ApprovalRequest, next: ApprovalRequest | undefined, refused: string) => {
    const change = {
      Update: {
        TableName: table,
        Key: { pk: before.pk, sk: before.sk },
        UpdateExpression: 'SET #status = :after, #body = :body',
        ConditionExpression: '#body = :before',
        ExpressionAttributeNames: { '#status': 'status', '#body': 'body' },
        ExpressionAttributeValues: {
          ':after': after.status,
          ':before': before.body,
          ':body': JSON.stringify(approvalRequest.parse(after)),
        },
      },
    }
    try {
      // Commit point: a request is decided, and a decision taken back, once. Who was asked, and about what, cannot change with it.
      await transact(db, [change, ...(next === undefined ? [] : joining(next))])
    } catch (error) {
      if (brokenCondition(error)) throw new WaybillError('CONFLICT', refused)
      throw asWaybillError(error, 'Storing a decision')
    }
  }

  /** Changes a group that is there. @throws NOT_FOUND */
  const changeGroup = async (
    groupId: string,
    change: { UpdateExpression: string; ExpressionAttributeValues?: Record<string, unknown> },
    what: string,
  ) => {
    try {
      await db.send(new UpdateCommand({ TableName: table, Key: groupKey(groupId), ConditionExpression: 'attribute_exists(pk)', ...change }))
    } catch (error) {
      if (sdkErrorName(error) === 'ConditionalCheckFailedException') throw new WaybillError('NOT_FOUND', 'There is no such approval group.')
      throw asWaybillError(error, what)
    }
  }

  const stored = async (approvalId: string) => {
    const found = await item(requestKey(await pointer(approvalId), approvalId))
    if (found === undefined) throw new WaybillError('NOT_FOUND', 'There is no such approval request.')
    return found
  }

  return {
    async open(group, asked) {
      const checked = approvalGroup.parse(group)
      if (asked.length > MAX_REQUESTS)
        throw new WaybillError('TOO_LARGE', `At most ${MAX_REQUESTS} people can be asked at once; ${asked.length} were named.`)
      const sealed = await seal.close(checked.task_token, tokenContext(checked.project_id, checked.group_id))
      const once = { TableName: table, ConditionExpression: 'attribute_not_exists(pk)' }
      try {
        await transact(db, [
          {
            Put: {
              ...once,
              Item: {
                ...groupKey(checked.group_id),
                group_id: checked.group_id,
                project_id: checked.project_id,
                expires_at: checked.expires_at,
                sealed_token: sealed,
                outbox: 'open',
              },
            },
          },
          ...asked.flatMap(puts),
        ])
      } catch (error) {
        if (brokenCondition(error))
          throw new WaybillError('ALREADY_EXISTS', `The approval group ${group.group_id}, or a request in it, exists already.`)
        throw asWaybillError(error, 'Opening approvals')
      }
    },

    async request(approvalId) {
      return requestOf(await stored(approvalId))
    },

    requests,

    async group(groupId) {
      const found = await item(groupKey(groupId))
      if (found === undefined) throw new WaybillError('NOT_FOUND', 'There is no such approval group.')
      return groupOf(found)
    },

    async toldAt(groupId) {
      const found = await item(groupKey(groupId))
      if (found === undefined) throw new WaybillError('NOT_FOUND', 'There is no such approval group.')
      return approvalGroup.shape.told_at.parse(found.told_at ?? null)
    },

    async decide(request, next) {
      const decided = approvalRequest.parse(request)
      if (decided.status !== 'DECIDED') throw new WaybillError('BAD_INPUT', 'Only a decided request can be stored as a decision.')
      const before = await stored(decided.approval_id)
      const pending = requestOf(before)
      const refused = 'This request was decided already; the first decision stands.'
      if (pending.status !== 'PENDING') throw new WaybillError('CONFLICT', refused)
      const { decision, reason, answers, decided_at, statement } = decided
      await replace(before, { ...pending, status: 'DECIDED', decision, reason, answers, decided_at, statement }, next, refused)
    },

    async join(request) {
      try {
        await transact(db, joining(request))
      } catch (error) {
        if (!brokenCondition(error)) throw asWaybillError(error, 'Opening an approval')
        if ((await item(groupKey(request.group_id))) === undefined) throw new WaybillError('NOT_FOUND', 'There is no such approval group.')
        throw new WaybillError('ALREADY_EXISTS', `The approval request ${request.approval_id} exists already.`)
      }
    },

    async withdraw(request, next) {
      const before = await stored(request.approval_id)
      const approved = requestOf(before)
      const refused = 'Only an approval that stands can be withdrawn, once.'
      if (approved.decision !== 'APPROVED') throw new WaybillError('CONFLICT', refused)
      await replace(before, { ...approved, decision: 'WITHDRAWN' }, next, refused)
    },

    async told(groupId, at) {
      const change = {
        UpdateExpression: 'SET told_at = if_not_exists(told_at, :at) REMOVE outbox',
        ExpressionAttributeValues: { ':at': at },
      }
      await changeGroup(groupId, change, 'Marking a group as told')
    },

    async untold() {
      const outbox = await query({
        IndexName: OUTBOX_INDEX,
        KeyConditionExpression: 'outbox = :open',
        ExpressionAttributeValues: { ':open': 'open' },
      })
      // The index lags, and holds ids alone: only the group itself says whether it is still open.
      const groups = await atOnce(outbox, ({ group_id }) => item(groupKey(String(group_id))))
      return groups
        .flatMap((group) =>
          group?.outbox === 'open'
            ? [openGroup.parse({ group_id: group.group_id, project_id: group.project_id, expires_at: group.expires_at })]
            : [],
        )
        .sort((a, b) => (a.group_id < b.group_id ? -1 : 1))
    },

    async close(groupId) {
      await changeGroup(groupId, { UpdateExpression: 'REMOVE outbox' }, 'Closing a group')
    },

    async byProject(projectId) {
      const items = await query({
        IndexName: PROJECT_INDEX,
        KeyConditionExpression: 'asked_in = :p',
        ExpressionAttributeValues: { ':p': projectId },
      })
      return items.map(requestOf).sort((a, b) => (a.approval_id < b.approval_id ? -1 : 1))
    },
  }
}

function requestOf(stored: Record<string, unknown>): ApprovalRequest {
  return approvalRequest.parse(JSON.parse(String(stored.body)))
}

/** Bound into the ciphertext: a sealed token moved to another group does not open. */
function tokenContext(projectId: string, groupId: string): Record<string, string> {
  return { use: 'task-token', project_id: projectId, group_id: groupId }
}
