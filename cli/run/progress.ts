import { z } from 'zod'
import type { LocalPlatform, PlatformOptions } from '../../functions/local.ts'
import { grouped } from '../../layers/core/count-words.ts'
import { failureReason } from '../../layers/core/flow/failure-reason.ts'
import { folderName, stateName } from '../../layers/core/names.ts'
import { seconds, type Terminal, visible } from '../terminal.ts'
import { ASKING } from './questions.ts'

const LOOK_EVERY_MS = 150
/** Many pieces of one step that fail for the same reason at the same time are told once. */
const SAME_MS = 2000

const taskInput = z.object({ project_id: z.string() })

type Retrying = Parameters<NonNullable<PlatformOptions['onRetry']>>[0]
type Runner = LocalPlatform['runner']

export type Progress = {
  worker(progress: Readonly<Record<string, string>>): void
  retry(retrying: Retrying): void
  stop(): void
}

/**
 * What one worker does in one execution. A later execution, such as the next comparison, begins anew: between two of them people may have been
 * waited for, which is no time of the worker's.
 */
type Round = { executions: ReadonlySet<string>; since: number; rows: Map<string, bigint> }

/**
 * Prints each state as it is entered, what failed and is tried again, and the rows a worker has done, until stopped. `asked`: lines about what
 * the person of a waiting project is asked.
 */
export function showProgress(
  terminal: Terminal,
  platform: () => { runner: Pick<Runner, 'list' | 'describe'> } | null,
  asked: (projectId: string) => Promise<readonly string[]> = async () => [],
): Progress {
  const seen = new Set<string>()
  const rounds = new Map<string, Round>()
  /** By state: why its last try failed, and when that was told. */
  const told = new Map<string, { attempt: number; why: string; at: number }>()
  /** By worker: the executions whose present state is its own. */
  let standing = new Map<string, Set<string>>()
  const tellQuestions = async (projectId: string | undefined) => {
    // What is asked stands on the page as well: not being able to say it here stops nothing.
    const lines = projectId === undefined ? [] : await asked(projectId).catch(() => [])
    for (const line of lines) terminal.err(line)
  }
  const look = () => {
    const open = platform()
    if (open === null) return
    standing = new Map()
    for (const name of open.runner.list()) {
      const { standing: frames, input } = open.runner.describe(name)
      for (const { state } of frames) {
        const worker = folderName(state)
        standing.set(worker, (standing.get(worker) ?? new Set()).add(name))
        const id = `${name} ${state}`
        if (seen.has(id)) continue
        seen.add(id)
        terminal.err(`${terminal.paint('cyan', '▸')} ${state}`)
        if (state === ASKING) void tellQuestions(taskInput.safeParse(input).data?.project_id)
      }
    }
  }
  const timer = setInterval(look, LOOK_EVERY_MS)
  const roundOf = (worker: string): Round => {
    const now = standing.get(worker) ?? new Set()
    const before = rounds.get(worker)
    const goesOn = before !== undefined && (now.size === 0 || !now.isDisjointFrom(before.executions))
    const round = goesOn
      ? { ...before, executions: before.executions.union(now) }
      : { executions: now, since: performance.now(), rows: new Map() }
    rounds.set(worker, round)
    return round
  }
  return {
    worker({ worker, table_id, chunk_id, rows: count }) {
      if (worker === undefined || count === undefined) return
      look()
      const { since, rows } = roundOf(worker)
      rows.set(chunk_id ?? table_id ?? '', BigInt(count))
      const total = rows.values().reduce((sum, each) => sum + each, 0n)
      const elapsed = performance.now() - since
      const rate = elapsed > 500 ? ` · ${grouped(Math.round((Number(total) / elapsed) * 1000))} rows/s` : ''
      terminal.progress(`  ${stateName(worker)} ${grouped(total)} rows${rate} · ${seconds(elapsed)}`)
    },
    retry({ state, attempt, of, waitMs, failure }) {
      const { code, reason } = failureReason(failure.error, failure.cause)
      const why = visible(`${code}: ${reason}`)
      const before = told.get(state)
      const at = performance.now()
      told.set(state, { attempt, why, at })
      if (before?.why === why && before.attempt === attempt && at - before.at < SAME_MS) return
      const when = waitMs < 500 ? 'now' : `in ${Math.round(waitMs / 1000)} s`
      const said = before?.why === why && before.attempt < attempt ? 'The same reason.' : why
      terminal.err(`${terminal.paint('yellow', '↻')} ${state}: try ${attempt} of ${of} failed and is repeated ${when}. ${said}`)
    },
    stop() {
      clearInterval(timer)
      terminal.endProgress()
    },
  }
}
