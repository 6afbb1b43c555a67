import { type DynamoDBDocumentClient, GetCommand, PutCommand, ScanCommand } from '@aws-sdk/lib-dynamodb'
import { WaybillError } from '../core/errors.ts'
import type { ProjectStore } from '../core/ports.ts'
import { type ProjectRecord, projectRecord } from '../core/schemas/project.ts'
import { asWaybillError, sdkErrorName, wasRetried } from './sdk-errors.ts'

/** Items: `project_id` (key), `revision`, `state`, `body` (the record as JSON text, so that nothing is rounded on the way). */
export function dynamoProjectStore({ db, table }: { db: DynamoDBDocumentClient; table: string }): ProjectStore {
  const itemOf = (record: ProjectRecord) => {
    const checked = projectRecord.parse(record)
    return { project_id: checked.project_id, revision: checked.revision, state: checked.state, body: JSON.stringify(checked) }
  }

  const stored = async (projectId: string) =>
    (
      await db.send(new GetCommand({ TableName: table, Key: { project_id: projectId }, ConsistentRead: true })).catch((error) => {
        throw asWaybillError(error, 'Reading the project record')
      })
    ).Item

  /** A refusal of what this very request had written, its first answer lost, is none. */
  const wroteIt = async (error: unknown, record: ProjectRecord) =>
    wasRetried(error) && (await stored(record.project_id))?.body === itemOf(record).body

  return {
    async create(record) {
      try {
        await db.send(new PutCommand({ TableName: table, Item: itemOf(record), ConditionExpression: 'attribute_not_exists(project_id)' }))
      } catch (error) {
        if (sdkErrorName(error) !== 'ConditionalCheckFailedException') throw asWaybillError(error, 'Creating the project record')
        if (await wroteIt(error, record)) return
        throw new WaybillError('ALREADY_EXISTS', `Project ${record.project_id} exists already. Use another id, or resume it.`)
      }
    },

    async get(projectId) {
      const Item = await stored(projectId)
      if (Item === undefined) throw new WaybillError('NOT_FOUND', `There is no project ${projectId}.`)
      return parse(Item)
    },

    async update(record) {
      try {
        await db.send(
          new PutCommand({
            TableName: table,
            Item: itemOf(record),
            ConditionExpression: 'revision = :expected',
            ExpressionAttributeValues: { ':expected': record.revision - 1 },
            ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
          }),
        )
      } catch (error) {
        if (sdkErrorName(error) !== 'ConditionalCheckFailedException') throw asWaybillError(error, 'Writing the project record')
        // The service returns the item that was there; none means that the project never was.
        if ((error as { Item?: unknown }).Item === undefined)
          throw new WaybillError('NOT_FOUND', `There is no project ${record.project_id}.`)
        if (await wroteIt(error, record)) return
        throw new WaybillError('CONFLICT', `Project ${record.project_id} was changed by someone else. Read it again and retry.`)
      }
    },

    async list() {
      const records: ProjectRecord[] = []
      let from: Record<string, unknown> | undefined
      do {
        const page = await db
          .send(new ScanCommand({ TableName: table, ConsistentRead: true, ...(from === undefined ? {} : { ExclusiveStartKey: from }) }))
          .catch((error) => {
            throw asWaybillError(error, 'Listing projects')
          })
        records.push(...(page.Items ?? []).map(parse))
        from = page.LastEvaluatedKey
      } while (from !== undefined)
      return records.sort((a, b) => (a.project_id < b.project_id ? -1 : 1))
    },
  }
}

function parse(item: Record<string, unknown>): ProjectRecord {
  return projectRecord.parse(JSON.parse(String(item.body)))
}
