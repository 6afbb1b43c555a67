import { type DynamoDBDocumentClient, GetCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import { WaybillError } from '../core/errors.ts'
import type { LeaseStore } from '../core/ports.ts'
import { type Lease, lease as leaseSchema } from '../core/schemas/lease.ts'
import { asWaybillError, sdkErrorName } from './sdk-errors.ts'

/** Items: `project_id` (key), `holder`, `fence` (a number that only grows), `expires_at`, `released`. Never deleted, so that no fence is given out twice. */
export function dynamoLeaseStore({ db, table }: { db: DynamoDBDocumentClient; table: string }): LeaseStore {
  /** One conditional write; the item as it is then, or null when the condition did not hold. */
  const write = async (projectId: string, expression: string, condition: string, values: Record<string, unknown>) => {
    try {
      const { Attributes } = await db.send(
        new UpdateCommand({
          TableName: table,
          Key: { project_id: projectId },
          UpdateExpression: expression,
          ConditionExpression: condition,
          ExpressionAttributeValues: values,
          ReturnValues: 'ALL_NEW',
        }),
      )
      return leaseOf(Attributes)
    } catch (error) {
      if (sdkErrorName(error) === 'ConditionalCheckFailedException') return null
      throw asWaybillError(error, 'Writing a lease')
    }
  }
  const read = async (projectId: string): Promise<Lease> => {
    const { Item } = await db
      .send(new GetCommand({ TableName: table, Key: { project_id: projectId }, ConsistentRead: true }))
      .catch((error) => {
        throw asWaybillError(error, 'Reading a lease')
      })
    if (Item === undefined) throw new WaybillError('CONFLICT', `The lease of ${projectId} changed meanwhile. It is safe to try again.`)
    return leaseOf(Item)
  }

  return {
    async take({ project_id, holder, now, until }) {
      const times = { ':holder': holder, ':until': until.toISOString() }
      const own = () => write(project_id, 'SET expires_at = :until', 'holder = :holder AND released = :no', { ...times, ':no': false })
      const free = () =>
        write(
          project_id,
          'SET holder = :holder, expires_at = :until, released = :no, fence = if_not_exists(fence, :zero) + :one',
          'attribute_not_exists(project_id) OR released = :yes OR (expires_at <= :now AND holder <> :holder)',
          { ...times, ':now': now.toISOString(), ':no': false, ':yes': true, ':zero': 0, ':one': 1 },
        )
      // Commit point: of two that take it at once, one meets its condition. Asked for its own first: an answer that got lost is asked for again.
      const taken = (await own()) ?? (await free()) ?? (await own())
      return taken === null ? { taken: false, lease: await read(project_id) } : { taken: true, lease: taken }
    },
    async renew(projectId, fence, until) {
      return (await write(projectId, 'SET expires_at = :until', ...held(fence, { ':until': until.toISOString() }))) !== null
    },
    async release(projectId, fence) {
      return (await write(projectId, 'SET released = :yes', 'fence = :fence', { ':yes': true, ':fence': Number(fence) })) !== null
    },
  }
}

const held = (fence: string, values: Record<string, unknown>): [string, Record<string, unknown>] => [
  'fence = :fence AND released = :no',
  { ...values, ':fence': Number(fence), ':no': false },
]

/** A fence grows by one a run: it stays far below where numbers are rounded. */
function leaseOf(item: Record<string, unknown> | undefined): Lease {
  const { project_id, holder, fence, expires_at } = item ?? {}
  return leaseSchema.parse({ project_id, holder, fence: String(fence), expires_at })
}
