import type { Counts } from '../../../layers/core/scale/model.ts'
import { countsOf } from './figures.ts'
import type { Named } from './scenarios.ts'
import type { Part, Simulation } from './simulate.ts'

export type PartFigures = {
  seconds: number
  task_seconds_billed: number
  parent_events: number
  child_events: number
  children: number
  counts: Counts
}
export type Figures = {
  name: string
  words: string
  tables: number
  chunks: number
  migration: PartFigures
  reconciliation: PartFigures
  payload_bytes: number
  overrides_bytes: number
  connections_per_second: number
  s3_reads_per_second: number
  s3_writes_per_second: number
  slowest: { name: string; seconds: number }
  profile_seconds: number
  page_bytes: number
  record_bytes: number
  largest_artifacts: { name: string; bytes: number }[]
}

export function figuresOf({ name, words, scenario }: Named, simulation: Simulation): Figures {
  const { migration, nightly } = simulation
  if (nightly === null) throw new Error('the night was left out')
  const functions = [...migration.invocations, ...nightly.invocations].filter(({ function: is }) => is)
  // Only the profile waits for data.
  const [profile] = functions.filter((each) => each.name === 'profile')
  const slowest = functions.filter((each) => each.name !== 'profile').reduce((most, each) => (each.ioMs > most.ioMs ? each : most))
  const byName = new Map<string, number>()
  for (const [key, bytes] of simulation.artifacts) {
    const logical = key.split('/')[2]!
    if (logical !== 'evidence_pack') byName.set(logical, Math.max(byName.get(logical) ?? 0, bytes))
  }
  return {
    name,
    words,
    tables: scenario.tables.length,
    chunks: migration.invocations.reduce((sum, each) => sum + (each.name === 'copy-chunk' ? (each.items ?? 0) : 0), 0),
    migration: partOf(migration),
    reconciliation: partOf(nightly),
    payload_bytes: Math.max(
      simulation.payloads[0]!.bytes,
      ...functions.filter(({ http }) => !http).map(({ payloadBytes }) => payloadBytes),
    ),
    overrides_bytes: simulation.workerTaskBytes,
    connections_per_second: Math.max(...[migration, nightly].map((part) => connectionsAtOnce(part, scenario.parallelism))),
    s3_reads_per_second: simulation.s3PerSecond.reads,
    s3_writes_per_second: simulation.s3PerSecond.writes,
    slowest: { name: slowest.name, seconds: Math.ceil(slowest.ioMs / 1000) },
    profile_seconds: Math.ceil(profile!.ioMs / 1000),
    page_bytes: simulation.pageBytes,
    record_bytes: simulation.projectRecordBytes,
    largest_artifacts: [...byName]
      .sort((a, b) => b[1] - a[1])
      .slice(0, 5)
      .map(([logical, bytes]) => ({ name: logical, bytes })),
  }
}

/** To one server, if all tasks of a Map that run at once opened all that they open in the same second. */
function connectionsAtOnce({ invocations }: Part, parallelism: number): number {
  const kinds = Map.groupBy(
    invocations.filter((each) => !each.function),
    ({ name }) => name,
  )
  return Math.max(
    ...[...kinds.values()].map((tasks) => {
      const most = Math.max(...tasks.flatMap(({ tally }) => [tally['connections.source'] ?? 0, tally['connections.target'] ?? 0]))
      return most * (tasks.length > 2 ? Math.min(parallelism, tasks.length) : 1)
    }),
  )
}

function partOf(part: Part): PartFigures {
  const { histories, tally } = part
  return {
    seconds: Math.round(part.seconds),
    task_seconds_billed: Math.round(tally['fargate.seconds'] ?? 0),
    parent_events: Math.max(...histories.map(({ events }) => events)),
    child_events: Math.max(...histories.map(({ childEvents }) => childEvents)),
    children: histories.reduce((sum, { children }) => sum + children, 0),
    counts: countsOf(part),
  }
}

/** The furthest that any size went, and the largest size, for the estimate. */
export function reachedByAll(results: readonly Figures[]) {
  const most = (of: (each: Figures) => number) => Math.max(...results.map(of))
  return {
    largest: { tables: most(({ tables }) => tables), chunks: most(({ chunks }) => chunks) },
    reached: {
      history_events: most(({ migration, reconciliation }) => Math.max(migration.parent_events, reconciliation.parent_events)),
      payload_bytes: most(({ payload_bytes }) => payload_bytes),
      overrides_bytes: most(({ overrides_bytes }) => overrides_bytes),
      record_bytes: most(({ record_bytes }) => record_bytes),
      s3_reads_per_second: most(({ s3_reads_per_second }) => s3_reads_per_second),
      s3_writes_per_second: most(({ s3_writes_per_second }) => s3_writes_per_second),
      connections_per_second: most(({ connections_per_second }) => connections_per_second),
      function_seconds: most(({ slowest }) => slowest.seconds),
      profile_seconds: most(({ profile_seconds }) => profile_seconds),
      page_bytes: most(({ page_bytes }) => page_bytes),
      // One state at a time, a function that anchors, and those that people open.
      lambda_concurrency: 10,
      kms_signatures_per_second: 2,
    },
  }
}
