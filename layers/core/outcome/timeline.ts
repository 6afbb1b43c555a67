import type { OutcomeInput } from './assembly.ts'
import type { CheckVerdicts } from './check-findings.ts'
import { countFigure, ratio } from './figures.ts'
import type { ProofDraft } from './proof.ts'

/** The longest list of checkpoints shown; the execution report holds all of them. */
const CHECKPOINTS_SHOWN = 50

/** Three phases, each from the reports' own instants: before the copy, the copy, and the proof of it. */
export function timelineOf(input: OutcomeInput, proof: ProofDraft, checks: CheckVerdicts) {
  const { executionReport: execution, reconReport: recon, checksReport } = input
  const at = (instant: string) => Date.parse(instant)
  const copyStart = at(execution.started_at)
  const copyEnd = at(execution.finished_at)
  const begin = Math.min(copyStart, ...input.auditEntries.map((entry) => at(entry.at)))
  const proofStart = Math.min(at(recon.started_at), at(checksReport.started_at))
  const proofEnd = Math.max(at(recon.finished_at), at(checksReport.finished_at))
  return {
    phase_initialization: {
      phase_name: 'INITIALIZATION',
      ...span(begin, copyStart),
      status: 'COMPLETED',
      events: input.auditEntries
        .filter((entry) => at(entry.at) <= copyStart)
        .map((entry) => ({ event_type: entry.action, timestamp: at(entry.at), details: `by ${entry.actor}` })),
    },
    phase_data_transfer: {
      phase_name: 'DATA_TRANSFER',
      ...span(copyStart, copyEnd),
      ...transfer(input, proof),
      events: execution.chunks
        .toSorted((a, b) => at(a.finished_at) - at(b.finished_at) || (a.chunk_id < b.chunk_id ? -1 : 1))
        .slice(0, CHECKPOINTS_SHOWN)
        .map((chunk) => ({
          event_type: 'CHUNK_CHECKPOINT',
          timestamp: at(chunk.finished_at),
          details: `${chunk.chunk_id}: ${chunk.rows} records${chunk.already_done ? ', found already done' : ''}`,
        })),
    },
    phase_validation: {
      phase_name: 'VALIDATION',
      ...span(proofStart, proofEnd),
      status: 'COMPLETED',
      validation_checks_passed: checks.passed + resultsOf(proof).filter(([, status]) => status === 'PASS').length,
      validation_checks_total: checks.total + resultsOf(proof).length,
      events: resultsOf(proof).map(([name, status]) => ({
        event_type: `${name}_${status}`,
        timestamp: proofEnd,
        details: EXPLAINED[status],
      })),
    },
  }
}

const EXPLAINED = {
  PASS: 'proven by the reconciliation and the checks',
  FAIL: 'refuted; the reasons stand in the proof certificate',
  INCONCLUSIVE: 'not decided; the reasons stand in the proof certificate',
  NOT_APPLICABLE: 'the plan gives nothing to prove here',
} as const

/** Results that apply; one that does not is neither passed nor counted. */
function resultsOf(proof: ProofDraft) {
  const all = [
    ['INTEGRITY', proof.integrity_result.status],
    ['COMPLETENESS', proof.completeness_result.status],
    ['CONSISTENCY', proof.consistency_result.status],
    ['ORDERING', proof.ordering_result.status],
  ] as const
  return all.filter(([, status]) => status !== 'NOT_APPLICABLE')
}

function span(start: number, end: number) {
  return { start_timestamp: start, end_timestamp: Math.max(start, end), duration_ms: Math.max(0, end - start) }
}

function transfer({ executionReport }: OutcomeInput, proof: ProofDraft) {
  const total = (figure: (table: (typeof executionReport.tables)[number]) => string) =>
    executionReport.tables.reduce((sum, table) => sum + BigInt(figure(table)), 0n)
  const completed = total((table) => table.chunks_completed)
  const expected = total((table) => table.chunks_expected)
  const records = total((table) => table.rows)
  return {
    status: (completed === expected ? 'COMPLETED' : 'FAILED') as 'COMPLETED' | 'FAILED',
    batches_completed: countFigure(completed),
    batches_total: countFigure(expected),
    records_transferred: countFigure(records),
    /** Records in the source, as the reconciliation counted them. */
    records_total: proof.completeness_result.source_record_count,
    /** Of the chunks: the plan's own measure of done. */
    transfer_progress_percentage: expected === 0n ? 100 : ratio(completed * 100n, expected, 2, 'floor'),
  }
}
