import { z } from 'zod'
import type { LocalPlatform } from '../../functions/local.ts'
import { grouped } from '../../layers/core/count-words.ts'
import { folderName, stateName } from '../../layers/core/names.ts'
import { seconds, type Terminal } from '../terminal.ts'
import { ASKING } from './questions.ts'
import { type Retrying, showRetries } from './retries.ts'

const LOOK_EVERY_MS = 150

const taskInput = z.object({ project_id: z.string() })

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
type Round = {
  executions: ReadonlySet<string>
  /** When its state was entered, its first rows were told, and its newest. */
  entered: number
  since: number
  until: number
  rows: Map<string, bigint>
}

/**
 * Prints each state as it is entered, what failed and is tried again, and the rows a worker has done, until stopped; where no line can be rewritten
 * in place, one more with all rows of a worker when its state was left. `asked`: lines about what
 * the person of a waiting project is asked and was not told yet; null while nobody is asked.
 */
export function showProgress(
  terminal: Terminal,
  platform: () => { runner: Pick<Runner, 'list' | 'describe'> } | null,
  asked: (projectId: string) => Promise<readonly string[] | null> = async () => null,
): Progress {
  /** States by execution, and when each was first seen. */
  const seen = new Map<string, number>()
  const rounds = new Map<string, Round>()
  const retries = showRetries(terminal)
  /** Waits for people whose questions were told, or are just being read. */
  const told = new Set<string>()
  /** By worker: the executions whose present state is its own. */
  let standing = new Map<string, Set<string>>()
  /** A state is entered before its request is sent, and again in every round of questions: it is asked until there is an answer. */
  const tellQuestions = async (wait: string, projectId: string | undefined) => {
    if (projectId === undefined || told.has(wait)) return
    told.add(wait)
    // What is asked stands on the page as well: not being able to say it here stops nothing.
    const lines = await asked(projectId).catch(() => [])
    if (lines === null) told.delete(wait)
    for (const line of lines ?? []) terminal.err(line)
  }
  const close = (worker: string, { entered, until, rows }: Round) => {
    rounds.delete(worker)
    if (!terminal.interactive) terminal.err(`  ${stateName(worker)} ${grouped(totalOf(rows))} rows in ${seconds(until - entered)}`)
  }
  const look = () => {
    const open = platform()
    if (open === null) return
    standing = new Map()
    const lines: string[] = []
    for (const name of open.runner.list()) {
      const { standing: frames, input } = open.runner.describe(name)
      for (const { state, entered_at } of frames) {
        if (state === ASKING) void tellQuestions(`${name} ${entered_at}`, taskInput.safeParse(input).data?.project_id)
        const worker = folderName(state)
        standing.set(worker, (standing.get(worker) ?? new Set()).add(name))
        const id = `${name} ${state}`
        if (seen.has(id)) continue
        seen.set(id, performance.now())
        lines.push(`${terminal.paint('cyan', '▸')} ${state}`)
      }
    }
    // Between two batches a worker's state is nobody's: only what is entered next shows that it is over.
    if (lines.length > 0) for (const [worker, round] of rounds) if (!standing.has(worker)) close(worker, round)
    for (const line of lines) terminal.err(line)
  }
  const timer = setInterval(() => {
    look()
    retries.look()
  }, LOOK_EVERY_MS)
  const roundOf = (worker: string): Round => {
    const now = standing.get(worker) ?? new Set()
    const before = rounds.get(worker)
    const goesOn = before !== undefined && (now.size === 0 || !now.isDisjointFrom(before.executions))
    if (before !== undefined && !goesOn) close(worker, before)
    const since = performance.now()
    const entered = Math.min(since, ...[...now].map((name) => seen.get(`${name} ${stateName(worker)}`) ?? since))
    const round = goesOn
      ? { ...before, executions: before.executions.union(now), until: since }
      : { executions: now, entered, since, until: since, rows: new Map() }
    rounds.set(worker, round)
    return round
  }
  return {
    worker({ worker, table_id, chunk_id, rows: count }) {
      if (worker === undefined || count === undefined) return
      look()
      const { since, rows } = roundOf(worker)
      rows.set(chunk_id ?? table_id ?? '', BigInt(count))
      const total = totalOf(rows)
      const elapsed = performance.now() - since
      const rate = elapsed > 500 ? ` · ${grouped(Math.round((Number(total) / elapsed) * 1000))} rows/s` : ''
      terminal.progress(`  ${stateName(worker)} ${grouped(total)} rows${rate} · ${seconds(elapsed)}`)
    },
    retry: retries.tell,
    stop() {
      clearInterval(timer)
      retries.look(true)
      for (const [worker, round] of rounds) close(worker, round)
      terminal.endProgress()
    },
  }
}

function totalOf(rows: ReadonlyMap<string, bigint>): bigint {
  return rows.values().reduce((sum, each) => sum + each, 0n)
}
