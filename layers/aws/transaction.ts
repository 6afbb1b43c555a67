import { setTimeout as sleep } from 'node:timers/promises'
import { type DynamoDBDocumentClient, TransactWriteCommand, type TransactWriteCommandInput } from '@aws-sdk/lib-dynamodb'
import { sdkErrorName } from './sdk-errors.ts'

const ATTEMPTS = 6
/** Of the first pause; each later one may be twice as long. The last may be 0.8 s, all together 1.6 s. */
const PAUSE_MS = 50
/** Somebody else's transaction was at one of the items, or the table had no room: nothing was judged, and nothing written. */
const PASSING = new Set(['None', 'TransactionConflict', 'ThrottlingError', 'ProvisionedThroughputExceeded'])

/**
 * Writes all of it or nothing. DynamoDB cancels a transaction that meets another at one item, which two people deciding at once in one group bring
 * about, and the SDK does not try again by itself.
 * @throws what the SDK throws: `TransactionCanceledException` when a condition did not hold
 */
export async function transact(db: DynamoDBDocumentClient, items: TransactWriteCommandInput['TransactItems']): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await db.send(new TransactWriteCommand({ TransactItems: items }))
      return
    } catch (error) {
      if (attempt === ATTEMPTS || !passing(error)) throw error
      await sleep(Math.random() * PAUSE_MS * 2 ** (attempt - 1))
    }
  }
}

function passing(error: unknown): boolean {
  const reasons = (error as { CancellationReasons?: { Code?: string }[] }).CancellationReasons ?? []
  return (
    sdkErrorName(error) === 'TransactionCanceledException' && reasons.length > 0 && reasons.every(({ Code }) => PASSING.has(Code ?? 'None'))
  )
}
