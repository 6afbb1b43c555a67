import { InvokeCommand, type LambdaClient } from '@aws-sdk/client-lambda'
import { WaybillError } from '../core/errors.ts'
import type { Anchors } from '../core/ports.ts'
import { asWaybillError } from './sdk-errors.ts'

/**
 * Asks the anchor-audit function, which alone may sign with the evidence key, to read and sign the chain's head. Asynchronous: Lambda
 * queues the event and retries it twice; a failed anchor lies in the dead-letter queue, and its alarm rings.
 */
export function lambdaAnchors({ lambda, functionName }: { lambda: LambdaClient; functionName: string }): Anchors {
  return {
    async anchor(projectId) {
      const { StatusCode } = await lambda
        .send(
          new InvokeCommand({
            FunctionName: functionName,
            InvocationType: 'Event',
            Payload: new TextEncoder().encode(JSON.stringify({ project_id: projectId, run_id: 'anchor' })),
          }),
        )
        .catch((error) => {
          throw asWaybillError(error, 'Asking for an anchor')
        })
      if (StatusCode !== 202) throw new WaybillError('CONNECTION_FAILED', 'The anchor request was not accepted. It is safe to try again.')
    },
  }
}
