import {
  DescribeExecutionCommand,
  GetExecutionHistoryCommand,
  ListExecutionsCommand,
  RedriveExecutionCommand,
  type SFNClient,
  StartExecutionCommand,
} from '@aws-sdk/client-sfn'
import { z } from 'zod'
import { WaybillError } from '../../core/errors.ts'
import { sdkErrorName } from '../sdk-errors.ts'
import { asSessionError } from './session.ts'

export type MachineName = 'migration' | 'reconcile'
export type ExecutionStatus = 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'TIMED_OUT' | 'ABORTED' | 'PENDING_REDRIVE'

export type ExecutionFacts = {
  name: string
  status: ExecutionStatus
  started_at: string
  stopped_at: string | null
  error: string | null
  cause: string | null
  /** Why it cannot be redriven; null where it can. */
  not_redrivable: string | null
}

export type RunningExecution = { arn: string; machine: MachineName; name: string; project_id: string; started_at: string }

/** Executions as a person at a terminal starts and watches them. Every method throws PERMISSION_DENIED or CONNECTION_FAILED where AWS does not answer. */
export type Executions = {
  /** The same name and input while it runs is the same execution. @throws ALREADY_EXISTS for a name that is taken */
  start(machine: MachineName, name: string, input: { project_id: string; run_id: string }): Promise<void>
  /** Null where there is none of this name. */
  describe(machine: MachineName, name: string): Promise<ExecutionFacts | null>
  /** Goes on at the state that did not succeed, with the same input. */
  redrive(machine: MachineName, name: string): Promise<void>
  running(): Promise<RunningExecution[]>
  /** States entered after the event `after`, oldest first, and the newest event's number. */
  entered(arn: string, after: number): Promise<{ states: string[]; last: number }>
  arnOf(machine: MachineName, name: string): string
}

const PAGE = 100
const taskInput = z.object({ project_id: z.string() })

export function stepFunctionsExecutions({
  sfn,
  machines,
  region,
}: {
  sfn: SFNClient
  machines: Readonly<Record<MachineName, string>>
  region: string
}): Executions {
  const failed = (doing: string) => (error: unknown) => {
    throw asSessionError(error, doing, region)
  }
  const arnOf = (machine: MachineName, name: string) => `${machines[machine].replace(':stateMachine:', ':execution:')}:${name}`
  /** Whose an execution is never changes. */
  const projects = new Map<string, string>()

  const projectOf = async (arn: string): Promise<string> => {
    const known = projects.get(arn)
    if (known !== undefined) return known
    const { input = '{}' } = await sfn.send(new DescribeExecutionCommand({ executionArn: arn })).catch(failed('Describing an execution'))
    const parsed = taskInput.safeParse(JSON.parse(input))
    const project = parsed.success ? parsed.data.project_id : ''
    projects.set(arn, project)
    return project
  }

  return {
    arnOf,

    async start(machine, name, input) {
      await sfn
        .send(new StartExecutionCommand({ stateMachineArn: machines[machine], name, input: JSON.stringify(input) }))
        .catch((error: unknown) => {
          if (sdkErrorName(error) === 'ExecutionAlreadyExists')
            throw new WaybillError('ALREADY_EXISTS', `There is an execution ${name} of the ${machine} machine already.`)
          return failed('Starting an execution')(error)
        })
    },

    async describe(machine, name) {
      try {
        const found = await sfn.send(new DescribeExecutionCommand({ executionArn: arnOf(machine, name) }))
        return {
          name,
          status: found.status ?? 'RUNNING',
          started_at: found.startDate?.toISOString() ?? '',
          stopped_at: found.stopDate?.toISOString() ?? null,
          error: found.error ?? null,
          cause: found.cause ?? null,
          not_redrivable: found.redriveStatus === 'REDRIVABLE' ? null : (found.redriveStatusReason ?? 'Step Functions does not say why'),
        }
      } catch (error) {
        if (sdkErrorName(error) === 'ExecutionDoesNotExist') return null
        return failed('Describing an execution')(error)
      }
    },

    async redrive(machine, name) {
      await sfn.send(new RedriveExecutionCommand({ executionArn: arnOf(machine, name) })).catch(failed('Redriving an execution'))
    },

    async running() {
      const found: RunningExecution[] = []
      for (const machine of ['migration', 'reconcile'] as const) {
        let token: string | undefined
        do {
          const page = await sfn
            .send(
              new ListExecutionsCommand({
                stateMachineArn: machines[machine],
                statusFilter: 'RUNNING',
                ...(token === undefined ? {} : { nextToken: token }),
              }),
            )
            .catch(failed('Listing executions'))
          for (const { executionArn: arn = '', name = '', startDate } of page.executions ?? [])
            found.push({ arn, machine, name, project_id: await projectOf(arn), started_at: startDate?.toISOString() ?? '' })
          token = page.nextToken
        } while (token !== undefined)
      }
      return found
    },

    async entered(arn, after) {
      const states: string[] = []
      let last = after
      let token: string | undefined
      // Newest first, back to where we were: the head of a long history is not read again at every look.
      reading: do {
        const page = await sfn
          .send(
            new GetExecutionHistoryCommand({
              executionArn: arn,
              reverseOrder: true,
              maxResults: PAGE,
              includeExecutionData: false,
              ...(token === undefined ? {} : { nextToken: token }),
            }),
          )
          .catch(failed('Reading the history of an execution'))
        for (const { id = 0, stateEnteredEventDetails } of page.events ?? []) {
          if (id <= after) break reading
          last = Math.max(last, id)
          if (stateEnteredEventDetails?.name !== undefined) states.unshift(stateEnteredEventDetails.name)
        }
        token = page.nextToken
      } while (token !== undefined)
      return { states, last }
    },
  }
}
