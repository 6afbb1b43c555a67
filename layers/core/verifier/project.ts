import type { PackManifest, PackPredicate } from '../schemas/evidence.ts'
import type { Contents } from './contents.ts'
import { Faults } from './pack-reader.ts'

/** Every document of the pack is about one and the same project. */
export function projectFaults(
  contents: Contents,
  manifest: PackManifest | null,
  seal: PackPredicate | null,
): { faults: Faults; projectId: string } {
  const faults = new Faults()
  const projectId = manifest?.project_id ?? seal?.project_id ?? contents.entries[0]?.project_id ?? ''
  const said: [string, string | undefined][] = [
    ['manifest.dsse.json', seal?.project_id],
    ['plan/migration_plan.json', contents.plan?.value.project_id],
    ['plan/signed_plan.dsse.json', contents.signedPlan?.predicate.project_id],
    ['plan/findings.json', contents.findings?.value.project_id],
    ['outcome.json', contents.outcome?.value.project_id],
    ...[...contents.recons, ...contents.nights, ...contents.checks, ...(contents.execution ? [contents.execution] : [])].map(
      ({ path, report }): [string, string] => [path, report.project_id],
    ),
    ...[...contents.approvals, ...contents.waivers, ...contents.anchors, ...contents.certificates].map(
      ({ path, predicate }): [string, string] => [path, predicate.project_id],
    ),
    ...contents.entries.map((entry): [string, string] => [`audit/entries.jsonl line ${entry.seq + 1}`, entry.project_id]),
  ]
  for (const [path, id] of said)
    if (id !== undefined && id !== projectId) faults.add(path, `belongs to project ${id}, the pack to ${projectId}`)
  return { faults, projectId }
}
