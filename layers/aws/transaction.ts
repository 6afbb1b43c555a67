import { type DynamoDBDocumentClient, TransactWriteCommand, type TransactWriteCommandInput } from '@aws-sdk/lib-dynamodb'
import { pauseUpTo } from './clock.ts'
import { sdkErrorName } from './sdk-errors.ts'

/**
 * Ten writers at one item all get through: each attempt but one of theirs fails, and the pauses spread them over ever more time. The pauses before an attempt may
 * be 9.6 s all together and are half of it as a rule, well within the shortest time that a function has; whoever still meets others by then is told to
 * try again.
 */
const ATTEMPTS = 14
/** Of the first pause, at most; each later one may be twice as long. */
const PAUSE_MS = 50
const LONGEST_PAUSE_MS = 1000
/** Somebody else's transaction was at one of the items, or the table had no room: nothing was judged, and nothing written. */
const PASSING = new Set(['None', 'TransactionConflict', 'ThrottlingError', 'ProvisionedThroughputExceeded'])

/**
 * Writes all of it or nothing. DynamoDB cancels a transaction that meets another at one item, which two people deciding at once in one group bring
 * about, and the SDK does not try again by itself.
 * @throws what the SDK throws: `TransactionCanceledException` when a condition did not hold
 */
export async function transact(
  db: DynamoDBDocumentClient,
  items: TransactWriteCommandInput['TransactItems'],
  pause: (upToMilliseconds: number) => Promise<void> = pauseUpTo,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await db.send(new TransactWriteCommand({ TransactItems: items }))
      return
    } catch (error) {
      if (attempt === ATTEMPTS || !passing(error)) throw error
      await pause(Math.min(PAUSE_MS * 2 ** (attempt - 1), LONGEST_PAUSE_MS))
    }
  }
}

function passing(error: unknown): boolean {
  const reasons = (error as { CancellationReasons?: { Code?: string }[] }).CancellationReasons ?? []
  return (
    sdkErrorName(error) === 'TransactionCanceledException' && reasons.length > 0 && reasons.every(({ Code }) => PASSING.has(Code ?? 'None'))
  )
}
