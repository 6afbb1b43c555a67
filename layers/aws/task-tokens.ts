import { SendTaskFailureCommand, SendTaskSuccessCommand, type SFNClient } from '@aws-sdk/client-sfn'
import { WaybillError } from '../core/errors.ts'
import type { TaskTokens } from '../core/ports.ts'
import { asWaybillError, sdkErrorName } from './sdk-errors.ts'

/** Step Functions refuses more than 262,144 bytes of output, 256 of error and 32,768 of cause. */
export function stepFunctionsTokens({ sfn }: { sfn: SFNClient }): TaskTokens {
  const spent = (error: unknown): never => {
    if (['TaskDoesNotExist', 'TaskTimedOut', 'InvalidToken'].includes(sdkErrorName(error)))
      throw new WaybillError('NOT_FOUND', 'The waiting step is over: it was answered, timed out or was restarted. Ask for a new link.')
    throw asWaybillError(error, 'Telling the state machine')
  }
  return {
    async succeed(token, output) {
      await sfn.send(new SendTaskSuccessCommand({ taskToken: token, output: JSON.stringify(output) })).catch(spent)
    },
    async fail(token, error, cause) {
      await sfn.send(new SendTaskFailureCommand({ taskToken: token, error: error.slice(0, 256), cause: cause.slice(0, 8192) })).catch(spent)
    },
  }
}
