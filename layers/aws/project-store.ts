import { type DynamoDBDocumentClient, GetCommand, QueryCommand, ScanCommand } from '@aws-sdk/lib-dynamodb'
import { isWaybillError, WaybillError } from '../core/errors.ts'
import type { ListedProjects, ProjectStore, Written } from '../core/ports.ts'
import { checkTold } from '../core/project-change.ts'
import { type AuditEntry, auditEntry } from '../core/schemas/governance.ts'
import { type ProjectRecord, projectRecord } from '../core/schemas/project.ts'
import { appending } from './audit-log.ts'
import { asWaybillError, brokenCondition, wasRetried } from './sdk-errors.ts'
import { storedBody } from './stored-body.ts'
import { transact } from './transaction.ts'

/**
 * Items: `project_id` (key), `revision`, `state`, `body` (the record as JSON text, so that nothing is rounded on the way).
 * @param options.auditTable asked for when something is written: who only reads projects is not told where the log is
 */
export function dynamoProjectStore(options: { db: DynamoDBDocumentClient; table: string; auditTable: () => string }): ProjectStore {
  const { db, table, auditTable } = options

  /** Whether this very entry is in the log: the write landed, its first answer was lost, and what was refused is a second one. */
  const wroteIt = async ({ project_id, seq, entry_sha256 }: AuditEntry): Promise<boolean> => {
    const found = new QueryCommand({
      TableName: auditTable(),
      KeyConditionExpression: 'project_id = :p AND seq = :seq',
      ExpressionAttributeValues: { ':p': project_id, ':seq': seq },
      ConsistentRead: true,
    })
    const { Items } = await db.send(found).catch((error) => {
      throw asWaybillError(error, 'Reading the audit log')
    })
    return Items?.[0]?.entry_sha256 === entry_sha256
  }

  /** @param refused what to throw instead when the condition on the record did not hold, given whether there is one */
  const write = async (
    record: ProjectRecord,
    entry: AuditEntry,
    condition: { ConditionExpression: string; ExpressionAttributeValues?: Record<string, unknown> },
    refused: (there: boolean) => Written | WaybillError,
  ): Promise<Written> => {
    const [body, told] = [projectRecord.parse(record), auditEntry.parse(entry)]
    checkTold(body, told)
    const item = { project_id: body.project_id, revision: body.revision, state: body.state, body: JSON.stringify(body) }
    const { put, checks } = appending(auditTable(), told)
    try {
      // Commit point: record and entry, or neither; on the revision that their writer read, behind the head that it read.
      await transact(db, [
        { Put: { TableName: table, Item: item, ...condition, ReturnValuesOnConditionCheckFailure: 'ALL_OLD' } },
        { Put: put },
        ...checks.map((ConditionCheck) => ({ ConditionCheck })),
      ])
      return 'WRITTEN'
    } catch (error) {
      if (!brokenCondition(error)) throw asWaybillError(error, 'Writing the project record')
      if (wasRetried(error) && (await wroteIt(told))) return 'WRITTEN'
      const [ofRecord] = (error as { CancellationReasons: { Code?: string; Item?: unknown }[] }).CancellationReasons
      if (ofRecord?.Code !== 'ConditionalCheckFailed') return 'HEAD_MOVED'
      const outcome = refused(ofRecord.Item !== undefined)
      if (outcome instanceof WaybillError) throw outcome
      return outcome
    }
  }

  return {
    create: (record, entry) =>
      write(
        record,
        entry,
        { ConditionExpression: 'attribute_not_exists(project_id)' },
        () => new WaybillError('ALREADY_EXISTS', `Project ${record.project_id} exists already. Use another id, or resume it.`),
      ),

    async get(projectId) {
      const { Item } = await db
        .send(new GetCommand({ TableName: table, Key: { project_id: projectId }, ConsistentRead: true }))
        .catch((error) => {
          throw asWaybillError(error, 'Reading the project record')
        })
      if (Item === undefined) throw new WaybillError('NOT_FOUND', `There is no project ${projectId}.`)
      return parse(Item)
    },

    update: (record, entry) =>
      write(
        record,
        entry,
        { ConditionExpression: 'revision = :expected', ExpressionAttributeValues: { ':expected': record.revision - 1 } },
        // The service returns the item that was there; none means that the project never was.
        (there) => (there ? 'REVISION_MOVED' : new WaybillError('NOT_FOUND', `There is no project ${record.project_id}.`)),
      ),

    async list() {
      const listed: ListedProjects = { records: [], unreadable: [] }
      let from: Record<string, unknown> | undefined
      do {
        const page = await db
          .send(new ScanCommand({ TableName: table, ConsistentRead: true, ...(from === undefined ? {} : { ExclusiveStartKey: from }) }))
          .catch((error) => {
            throw asWaybillError(error, 'Listing projects')
          })
        for (const item of page.Items ?? []) {
          try {
            listed.records.push(parse(item))
          } catch (error) {
            if (!isWaybillError(error)) throw error
            listed.unreadable.push({ project_id: String(item.project_id), says: error.message })
          }
        }
        from = page.LastEvaluatedKey
      } while (from !== undefined)
      listed.records.sort(byId)
      listed.unreadable.sort(byId)
      return listed
    },
  }
}

const byId = (a: { project_id: string }, b: { project_id: string }) => (a.project_id < b.project_id ? -1 : 1)

/** @throws EVIDENCE_INVALID also for another project's record: whoever reads `p1` must not be told of `p2` */
function parse(item: Record<string, unknown>): ProjectRecord {
  const what = `The record of project ${JSON.stringify(item.project_id)}`
  const record = storedBody(projectRecord, item, what)
  if (record.project_id === item.project_id) return record
  throw new WaybillError('EVIDENCE_INVALID', `${what} in its table is that of another project; something else changed it.`)
}
