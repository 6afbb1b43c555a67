import { join } from 'node:path'
import { leftInTarget } from '../../layers/core/left-in-target.ts'
import type { Ports } from '../../layers/core/ports.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'
import { EXIT, type Terminal } from '../terminal.ts'
import { exitCodeOf } from './drive.ts'
import { type Results, writeResults } from './results.ts'
import { schemaWarnings } from './schema-warnings.ts'
import { type Measured, measured, printSummary, proofStatus, proofValid } from './summary.ts'

/** A project that came to an end or to a stop, with what was measured and where its results were written, if anywhere. */
export type Ended = { project: ProjectRecord; figures: Measured; results: Results | null }

/** Reads what was measured, and writes the results to a folder where one is given. */
export async function endedProject(
  ports: Pick<Ports, 'artifacts' | 'audit'>,
  project: ProjectRecord,
  folder: string | null,
): Promise<Ended> {
  const figures = await measured(ports, project)
  return { project, figures, results: folder === null ? null : await writeResults(ports, project, folder, figures) }
}

/** What differs now is 1 wherever the migration stands. */
export function endedExitCode({ project, figures }: Ended): number {
  return figures.newest?.found === 'differs' ? EXIT.fail : exitCodeOf(project, proofStatus(figures))
}

export function endedJson({ project, figures, results }: Ended): object {
  const { outcome, newest, findings, plan, recon } = figures
  const proof = outcome && {
    valid_when_made: outcome.proof_certificate.proof_formula_evaluation.PROOF_VALID,
    made_at: new Date(outcome.proof_certificate.proof_timestamp).toISOString(),
    recon_report_sha256: outcome.inputs.recon_report_sha256,
  }
  return {
    project,
    proof_valid: proofValid(figures),
    proof,
    newest_comparison: newest,
    schema_warnings: recon === null ? [] : schemaWarnings(recon),
    findings,
    left_in_target: plan === null ? null : leftInTarget(project, plan),
    ...(results ?? {}),
  }
}

export function printEnded(terminal: Terminal, { project, figures, results }: Ended): void {
  printSummary(terminal, project, figures)
  if (results !== null && results.written.length > 0)
    terminal.out(`\n${results.written.map((name) => join(results.folder, name)).join('\n')}`)
}
