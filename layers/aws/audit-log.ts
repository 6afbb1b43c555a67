import { type DynamoDBDocumentClient, PutCommand, QueryCommand, TransactWriteCommand } from '@aws-sdk/lib-dynamodb'
import { WaybillError } from '../core/errors.ts'
import type { AuditLog } from '../core/ports.ts'
import { type AuditEntry, auditEntry } from '../core/schemas/governance.ts'
import { asWaybillError, sdkErrorName, wasRetried } from './sdk-errors.ts'
import { storedBody } from './stored-body.ts'

/** The write of one entry, and for every one but the first, the condition that its predecessor is the one it names. */
export function appending(table: string, entry: AuditEntry) {
  const put = {
    TableName: table,
    Item: { project_id: entry.project_id, seq: entry.seq, entry_sha256: entry.entry_sha256, body: JSON.stringify(entry) },
    ConditionExpression: 'attribute_not_exists(seq)',
  }
  const check = {
    TableName: table,
    Key: { project_id: entry.project_id, seq: entry.seq - 1 },
    ConditionExpression: 'entry_sha256 = :previous',
    ExpressionAttributeValues: { ':previous': entry.prev_sha256 },
  }
  return { put, checks: entry.seq === 0 ? [] : [check] }
}

/**
 * Items: `project_id` (partition), `seq` (sort), `entry_sha256`, `body`. No role may UpdateItem or DeleteItem here.
 * Threat: PutItem without a condition would replace an entry, and IAM cannot demand a condition. Anchors under Object Lock show it.
 */
export function dynamoAuditLog({ db, table }: { db: DynamoDBDocumentClient; table: string }): AuditLog {
  const query = async (projectId: string, options: { forward: boolean; limit?: number; first?: number }) => {
    const entries: AuditEntry[] = []
    let from: Record<string, unknown> | undefined
    do {
      const page = await db
        .send(
          new QueryCommand({
            TableName: table,
            KeyConditionExpression: 'project_id = :p AND seq >= :first',
            ExpressionAttributeValues: { ':p': projectId, ':first': options.first ?? 0 },
            ConsistentRead: true,
            ScanIndexForward: options.forward,
            ...(options.limit === undefined ? {} : { Limit: options.limit }),
            ...(from === undefined ? {} : { ExclusiveStartKey: from }),
          }),
        )
        .catch((error) => {
          throw asWaybillError(error, 'Reading the audit log')
        })
      entries.push(...(page.Items ?? []).map((item) => storedBody(auditEntry, item, 'An audit entry')))
      from = options.limit === undefined ? page.LastEvaluatedKey : undefined
    } while (from !== undefined)
    return entries
  }

  return {
    async head(projectId) {
      return (await query(projectId, { forward: false, limit: 1 }))[0] ?? null
    },

    async append(entry) {
      const checked = auditEntry.parse(entry)
      const { put, checks } = appending(table, checked)
      try {
        // Commit point: the entry lands only if its predecessor is the one it names.
        if (checks.length === 0) await db.send(new PutCommand(put))
        else
          await db.send(
            new TransactWriteCommand({ TransactItems: [...checks.map((ConditionCheck) => ({ ConditionCheck })), { Put: put }] }),
          )
      } catch (error) {
        if (
          ['ConditionalCheckFailedException', 'TransactionCanceledException', 'TransactionConflictException'].includes(sdkErrorName(error))
        ) {
          const there = wasRetried(error)
            ? (await query(checked.project_id, { forward: true, limit: 1, first: checked.seq }))[0]
            : undefined
          if (there?.seq === checked.seq && there.entry_sha256 === checked.entry_sha256) return
          throw new WaybillError('CONFLICT', `The audit chain of ${entry.project_id} has another head. Read it again and retry.`)
        }
        throw asWaybillError(error, 'Appending to the audit log')
      }
    },

    read: (projectId, first = 0) => query(projectId, { forward: true, first }),
  }
}
