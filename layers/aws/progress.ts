import { type DynamoDBDocumentClient, PutCommand, QueryCommand } from '@aws-sdk/lib-dynamodb'
import type { Progress } from '../core/ports.ts'
import { type WorkProgress, workProgress } from '../core/schemas/progress.ts'
import { asWaybillError } from './sdk-errors.ts'

const KEPT_SECONDS = 30 * 86_400

/** Items: `project_id` (partition), `task` (sort: run, worker and part), `body`, and `expires_at`, in seconds, when DynamoDB may delete the item. */
export function dynamoProgress({ db, table }: { db: DynamoDBDocumentClient; table: string }): Progress {
  return {
    async report(row) {
      const { project_id, run_id, worker, part, beat_at } = workProgress.parse(row)
      const Item = {
        project_id,
        task: `${run_id}#${worker}#${part}`,
        body: JSON.stringify(row),
        expires_at: Math.floor(Date.parse(beat_at) / 1000) + KEPT_SECONDS,
      }
      await db.send(new PutCommand({ TableName: table, Item })).catch((error) => {
        throw asWaybillError(error, 'Writing progress')
      })
    },

    async read(projectId) {
      const rows: WorkProgress[] = []
      let from: Record<string, unknown> | undefined
      do {
        const page = await db
          .send(
            new QueryCommand({
              TableName: table,
              KeyConditionExpression: 'project_id = :p',
              ExpressionAttributeValues: { ':p': projectId },
              ...(from === undefined ? {} : { ExclusiveStartKey: from }),
            }),
          )
          .catch((error) => {
            throw asWaybillError(error, 'Reading progress')
          })
        rows.push(...(page.Items ?? []).map((item) => workProgress.parse(JSON.parse(String(item.body)))))
        from = page.LastEvaluatedKey
      } while (from !== undefined)
      return rows
    },
  }
}
