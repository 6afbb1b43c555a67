import { InvokeCommand, type LambdaClient } from '@aws-sdk/client-lambda'
import { WaybillError } from '../core/errors.ts'
import type { Anchors } from '../core/ports.ts'
import { asWaybillError } from './sdk-errors.ts'

/**
 * Asks the anchor-audit function, which alone may write anchors, to read and sign the chain's head, and waits for it: a change of
 * state counts only under an anchor, so the next step must find it there. A refusal fails the step, and its retry only anchors again.
 */
export function lambdaAnchors({ lambda, functionName }: { lambda: LambdaClient; functionName: string }): Anchors {
  return {
    async anchor(projectId) {
      const { FunctionError } = await lambda
        .send(
          new InvokeCommand({
            FunctionName: functionName,
            InvocationType: 'RequestResponse',
            Payload: new TextEncoder().encode(JSON.stringify({ project_id: projectId, run_id: 'anchor' })),
          }),
        )
        .catch((error) => {
          throw asWaybillError(error, 'Asking for an anchor')
        })
      if (FunctionError !== undefined)
        throw new WaybillError(
          'CONNECTION_FAILED',
          'The audit chain could not be anchored; see the log of anchor-audit. It is safe to try again.',
        )
    },
  }
}
