import { PAIRS_PER_TASK } from '../../layers/core/scale/estimate.ts'

/** A differences file holds at most 200,000 lines a table; the counts stay exact, and the report says where it was cut. */
export const MAX_DIFFERENCES = 200_000

/** Beside each result: the plan, the run and the systems it is about. */
export const ENDS = 'ends.json'

/** Servers have a hundred connections where nobody raised it, and a table is not compared faster by more. */
const MOST_CONNECTIONS = 16

/**
 * Connections that one task may open on each side. Tasks that run at once share what the plan allows: 64 of them with 64 connections each would be
 * four thousand on a server that takes a hundred.
 */
export function connectionsOf(plan: { tables: readonly unknown[]; execution: { parallelism: number } }): number {
  const { parallelism } = plan.execution
  const atOnce = Math.min(parallelism, Math.ceil(plan.tables.length / PAIRS_PER_TASK))
  return Math.min(MOST_CONNECTIONS, Math.max(1, Math.floor(parallelism / Math.max(1, atOnce))))
}
