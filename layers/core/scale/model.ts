import counted from './counted.json' with { type: 'json' }
import type { LimitName } from './limits.ts'

/** What one run asks of AWS, in units of the price list, but for what its data takes. `task_seconds`: containers, without the data. */
export const COUNTED = [
  'transitions',
  'lambda_requests',
  'lambda_gigabyte_seconds',
  's3_writes',
  's3_reads',
  'dynamodb_read_units',
  'dynamodb_write_units',
  'kms_signatures',
  'kms_requests',
  'secrets_requests',
  'mails',
  'http_requests',
  'tasks',
  'task_seconds',
] as const
export type Counts = Record<(typeof COUNTED)[number], number>

/** What the counts grow with. */
export type Size = { tables: number; chunks: number; copyTasks: number; reconcileTasks: number }
export type Run = 'migration' | 'reconciliation'

/**
 * Each count is a constant, and so much for each table, chunk and task. The figures were counted by the simulator (test/scale), which runs the state
 * machines and handlers themselves; tests hold them to it.
 */
export function countsFor(run: Run, size: Size): Counts {
  return Object.fromEntries(
    COUNTED.map((name) => {
      const [once, table, chunk, copyTask, reconcileTask] = counted[run][name] as [number, number, number, number, number]
      const count = once + table * size.tables + chunk * size.chunks + copyTask * size.copyTasks + reconcileTask * size.reconcileTasks
      return [name, Math.max(0, count)]
    }),
  ) as Counts
}

/** Seconds besides data: of functions and of workers that work alone; and of one task of each Map, from its container's start to its end. */
export function overheadsFor(run: Run, size: Size): { alone: number; copyTask: number; reconcileTask: number } {
  const [once, table] = counted.seconds[run] as [number, number]
  const [workers, , chunk, copyTask] = counted.migration.task_seconds as [number, number, number, number]
  const [checks, pair, , , reconcileTask] = counted.reconciliation.task_seconds as [number, number, number, number, number]
  return {
    alone: once + table * size.tables + (run === 'migration' ? workers : checks),
    copyTask: copyTask + (chunk * size.chunks) / size.copyTasks,
    reconcileTask: reconcileTask + (pair * size.tables) / size.reconcileTasks,
  }
}

/** How far a run goes towards each limit. What grows with the tables was measured at the largest simulated size, and is null beyond it. */
export function reachedBy(size: Size | null, parallelism: number, vcpu: number): Record<LimitName, number | null> {
  const { reached, largest } = counted
  const measured = size !== null && size.tables <= largest.tables && size.chunks <= largest.chunks
  const whole = (figure: number) => (measured ? figure : null)
  const tasks = size === null ? null : Math.min(parallelism, Math.max(size.copyTasks, size.reconcileTasks))
  return {
    history_events: reached.history_events,
    map_children: tasks,
    payload_bytes: reached.payload_bytes,
    overrides_bytes: reached.overrides_bytes,
    record_bytes: reached.record_bytes,
    s3_reads_per_second: whole(reached.s3_reads_per_second),
    s3_writes_per_second: whole(reached.s3_writes_per_second),
    connections_per_second: whole(reached.connections_per_second),
    function_seconds: whole(reached.function_seconds),
    profile_seconds: whole(reached.profile_seconds),
    page_bytes: whole(reached.page_bytes),
    fargate_vcpus: tasks === null ? null : tasks * vcpu,
    lambda_concurrency: reached.lambda_concurrency,
    kms_signatures_per_second: reached.kms_signatures_per_second,
  }
}
