import type { Browser } from 'playwright-core'
import type { Description } from '../../../layers/local/asl/runner.ts'
import type { Account } from './account.ts'
import { approveByMail, type Decision } from './people.ts'

export type Ended = { execution: Description; decisions: readonly Decision[] }

/** Starts the migration of a stored spec and lets people decide until it ends. `take` starts it in another way. */
export async function migrate(
  account: Account,
  browser: Browser,
  projectId: string,
  take = (): Promise<unknown> =>
    account.runner.start(account.machine('migration'), projectId, { project_id: projectId, run_id: 'initial' }),
): Promise<Ended> {
  const over = new AbortController()
  const people = approveByMail(account.emulator, browser, over.signal)
  // A page that fails is told at once; people who merely stop are waited for below.
  const failed = people.then(() => new Promise<never>(() => {}))
  try {
    await take()
    const execution = await Promise.race([account.runner.wait(projectId), failed])
    over.abort()
    return { execution, decisions: await people }
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

/** One file of an evidence pack as the bucket holds it. */
export type PackFile = { path: string; bytes: Uint8Array; key: string; versionId: string }

export async function packOf({ artifacts }: Account, projectId: string): Promise<PackFile[]> {
  const prefix = `projects/${projectId}/evidence_pack/`
  const keys = await artifacts.list(prefix)
  return Promise.all(
    keys.map(async (key) => {
      const pointer = (await artifacts.find(key))!
      return { path: key.slice(prefix.length), bytes: await artifacts.get(pointer), key, versionId: pointer.version_id }
    }),
  )
}
