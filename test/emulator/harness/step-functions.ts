import { createServer } from 'node:http'
import type { DatabaseSync } from 'node:sqlite'
import { DescribeStateMachineCommand, ListStateMachinesCommand, SFNClient, UpdateStateMachineCommand } from '@aws-sdk/client-sfn'
import { load, type Machine } from '../../../layers/local/asl/load.ts'
import type { Platform } from '../../../layers/local/asl/run.ts'
import { createRunner, type Description, type Runner } from '../../../layers/local/asl/runner.ts'
import { openHome } from '../../../layers/local/home.ts'

/**
 * Step Functions: the interpreter of this project, which honours what the emulator does not (distributed Map, JSONata, Retry, Catch), behind the
 * service's own HTTP interface, so that deployed functions answer task tokens and schedules start executions as they would in an account.
 */
export type StepFunctions = {
  url: string
  /** Takes the definitions as CloudFormation deployed them. */
  install(emulatorUrl: string, platform: Platform): Promise<Runner>
  /** Takes them again, after another deployment. Executions go on with what they were started with. */
  takeDefinitions(emulatorUrl: string): Promise<void>
  /** The largest input, output or variables any state had so far, in bytes of JSON. */
  largestPayload(): { bytes: number; state: string }
  stop(): Promise<void>
}

const NOTHING = JSON.stringify({ StartAt: 'Elsewhere', States: { Elsewhere: { Type: 'Succeed' } } })

export async function startStepFunctions(folder: string): Promise<StepFunctions> {
  let runner: Runner | undefined
  const stopping = new AbortController()
  const home = openHome(folder)
  const machines: Record<string, Machine> = {}
  const takeDefinitions = async (emulatorUrl: string): Promise<void> => {
    const client = new SFNClient({ endpoint: emulatorUrl })
    const { stateMachines = [] } = await client.send(new ListStateMachinesCommand({}))
    for (const { stateMachineArn } of stateMachines) {
      const { definition } = await client.send(new DescribeStateMachineCommand({ stateMachineArn }))
      // Left alone by this deployment, as by the one before.
      if (definition === NOTHING) continue
      machines[stateMachineArn!] = load(JSON.parse(definition!), {})
      // Schedules start it in the emulator, whose own interpreter would go on from there in its own way.
      if (/nightly$/.test(stateMachineArn!)) await client.send(new UpdateStateMachineCommand({ stateMachineArn, definition: NOTHING }))
    }
  }
  const largestPayload = watchPayloads(home.db)
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', async () => {
      const action = String(request.headers['x-amz-target'] ?? '').split('.')[1] ?? ''
      const answer = (status: number, body: unknown) => {
        response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0' }).end(JSON.stringify(body))
      }
      try {
        if (runner === undefined) throw new Error('no state machine is installed yet')
        answer(200, await perform(runner, action, JSON.parse(Buffer.concat(chunks).toString())))
      } catch (error) {
        const code = (error as { code?: string }).code
        const type =
          code === 'NOT_FOUND' && /Execution$/.test(action)
            ? 'ExecutionDoesNotExist'
            : code === 'NOT_FOUND'
              ? 'TaskTimedOut'
              : code === 'ALREADY_EXISTS'
                ? 'ExecutionAlreadyExists'
                : 'InvalidToken'
        answer(400, { __type: type, message: error instanceof Error ? error.message : String(error) })
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as { port: number }).port}`
  return {
    url,
    async install(emulatorUrl, platform) {
      await takeDefinitions(emulatorUrl)
      runner = createRunner({ db: home.db, locks: home.locks, machines, platform, signal: stopping.signal, workers: 2 })
      return runner
    },
    takeDefinitions,
    largestPayload,
    async stop() {
      stopping.abort()
      await runner?.settled()
      await new Promise((resolve) => server.close(resolve))
      home.close()
    },
  }
}

/** A transition overwrites what the state before it had; triggers of this connection look at each. */
function watchPayloads(db: DatabaseSync): StepFunctions['largestPayload'] {
  const bytes = (column: string) => `coalesce(length(CAST(NEW.${column} AS BLOB)), 0)`
  db.exec('CREATE TEMP TABLE payloads (bytes INTEGER, state TEXT)')
  for (const change of ['INSERT', 'UPDATE'])
    db.exec(`CREATE TEMP TRIGGER seen_${change} AFTER ${change} ON main.frames BEGIN
      INSERT INTO payloads VALUES (max(${['input', 'output', 'variables'].map(bytes).join(', ')}), NEW.state); END`)
  const largest = db.prepare('SELECT bytes, state FROM payloads ORDER BY bytes DESC LIMIT 1')
  return () => ({ ...(largest.get() as { bytes: number; state: string }) })
}

type Body = Record<string, string>

async function perform(runner: Runner, action: string, body: Body): Promise<unknown> {
  switch (action) {
    case 'SendTaskSuccess':
      await runner.succeed(body.taskToken!, JSON.parse(body.output!))
      return {}
    case 'SendTaskFailure':
      await runner.fail(body.taskToken!, body.error ?? '', body.cause ?? '')
      return {}
    case 'StartExecution': {
      const name = body.name ?? crypto.randomUUID()
      const started = await runner.start(body.stateMachineArn!, name, JSON.parse(body.input ?? '{}'))
      return {
        executionArn: `${body.stateMachineArn!.replace(':stateMachine:', ':execution:')}:${name}`,
        startDate: Date.parse(started.started_at) / 1000,
      }
    }
    case 'DescribeExecution': {
      const found = runner.describe(nameIn(body.executionArn!))
      const redrivable = ['FAILED', 'TIMED_OUT', 'ABORTED'].includes(found.status)
      return {
        ...shown(found),
        input: JSON.stringify(found.input),
        ...(found.failure === null ? {} : { error: found.failure.error, cause: found.failure.cause }),
        redriveCount: 0,
        redriveStatus: redrivable ? 'REDRIVABLE' : 'NOT_REDRIVABLE',
      }
    }
    case 'ListExecutions':
      return {
        executions: runner
          .list()
          .map((name) => runner.describe(name))
          .filter(({ machine, status }) => machine === body.stateMachineArn && (body.statusFilter ?? status) === status)
          .map(shown),
      }
    case 'GetExecutionHistory': {
      const events = runner
        .history(nameIn(body.executionArn!))
        .filter(({ frame }) => frame === 'root')
        .map(({ at, type, state }, index) => ({
          id: index + 1,
          timestamp: Date.parse(at) / 1000,
          type: type === 'StateEntered' ? 'TaskStateEntered' : type,
          ...(type === 'StateEntered' ? { stateEnteredEventDetails: { name: state } } : {}),
        }))
      return { events: events.reverse() }
    }
    case 'RedriveExecution':
      await runner.redrive(nameIn(body.executionArn!))
      return { redriveDate: Date.now() / 1000 }
    case 'StopExecution':
      await runner.stop(nameIn(body.executionArn!), body.error ?? 'Stopped', body.cause ?? '')
      return { stopDate: Date.now() / 1000 }
    default:
      throw new Error(`${action} is not served here`)
  }
}

const nameIn = (arn: string) => arn.split(':').at(-1)!

function shown({ name, machine, status, started_at, stopped_at }: Description) {
  return {
    executionArn: `${machine.replace(':stateMachine:', ':execution:')}:${name}`,
    stateMachineArn: machine,
    name,
    status,
    startDate: Date.parse(started_at) / 1000,
    ...(stopped_at === null ? {} : { stopDate: Date.parse(stopped_at) / 1000 }),
  }
}
