import { setTimeout as sleep } from 'node:timers/promises'
import type { Browser } from 'playwright-core'
import type { Description } from '../../../layers/local/asl/runner.ts'
import type { Account } from './account.ts'
import { approveByMail, type Decision, type Mail } from './people.ts'

export type Ended = { execution: Description; decisions: readonly Decision[] }

/** Starts the migration of a stored spec, or starts it again as its next `attempt`, and lets people decide until it ends. */
export async function migrate(account: Account, browser: Browser, projectId: string, attempt = 1): Promise<Ended> {
  const [name, runId] = attempt === 1 ? [projectId, 'initial'] : [`${projectId}-${attempt}`, `retry-${attempt - 1}`]
  const { result, decisions } = await whileDeciding(account, browser, async () => {
    await account.runner.start(account.machine('migration'), name, { project_id: projectId, run_id: runId })
    return account.runner.wait(name)
  })
  return { execution: result, decisions }
}

/** Starts the migration and lets people decide until it stands in `state`; it is left there. @throws Error when it ends before */
export async function migrateUntil(account: Account, browser: Browser, projectId: string, state: string, leaves: (mail: Mail) => boolean) {
  const until = async () => {
    await account.runner.start(account.machine('migration'), projectId, { project_id: projectId, run_id: 'initial' })
    for (;;) {
      const execution = account.runner.describe(projectId)
      if (execution.standing.some((standing) => standing.state === state)) return
      if (execution.status !== 'RUNNING') mustBe(account, { execution, decisions: [] }, 'RUNNING')
      await sleep(100)
    }
  }
  await whileDeciding(account, browser, until, leaves)
}

async function whileDeciding<T>(
  account: Account,
  browser: Browser,
  work: () => Promise<T>,
  leaves?: (mail: Mail) => boolean,
): Promise<{ result: T; decisions: readonly Decision[] }> {
  const over = new AbortController()
  const people = approveByMail(account.emulator, browser, over.signal, leaves)
  // A page that fails is told at once; people who merely stop are waited for below.
  const failed = people.then(() => new Promise<never>(() => {}))
  try {
    const result = await Promise.race([work(), failed])
    over.abort()
    return { result, decisions: await people }
  } finally {
    over.abort()
  }
}

/** Throws what there is to know about an execution that ended otherwise than it should. */
export function mustBe(account: Account, { execution, decisions }: Ended, status: Description['status']): void {
  if (execution.status === status) return
  const events = account.runner
    .history(execution.name)
    .map(({ at, type, frame, state, detail }) => [at, type, frame, state, detail].join(' '))
  throw new Error(
    [
      `${execution.name} ended as ${execution.status}: ${JSON.stringify(execution.failure)}`,
      ...decisions.map(({ to, asked, said }) => `${to}: ${asked}: ${said}`),
      ...events.slice(-25),
      account.emulator.log().slice(-6000),
    ].join('\n'),
  )
}
