import { newestInWords } from '../../layers/core/newest-comparison.ts'
import { trendOf } from '../../layers/core/nights/trend.ts'
import type { Ports } from '../../layers/core/ports.ts'
import type { ApprovalRequest } from '../../layers/core/schemas/governance.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'
import type { Place, Standing } from '../platform/platform.ts'
import { nightsInWords } from '../run/nights.ts'
import { schemaWarnings } from '../run/schema-warnings.ts'
import { provenAndSince } from '../run/summary.ts'
import { type Working, workingNow } from '../run/working.ts'

/** Where a project stands, and who is being waited for. */
export type StatusRow = Omit<ProjectRecord, 'artifacts'> & {
  unreadable: null
  newest_comparison: string | null
  /** Of the comparison since the proof; those of the proof itself are in its report. */
  schema_warnings: string[]
  nights: string | null
  running: readonly Standing[]
  working: Working[]
  waiting_for: (Pick<ApprovalRequest, 'role' | 'approver' | 'expires_at' | 'questions' | 'proof_made_at'> & { transition: string })[]
}

/** What was found since the proof was made, in a sentence; null where nothing was. */
async function sinceWords(
  ports: Pick<Ports, 'artifacts' | 'audit'>,
  project: ProjectRecord,
): Promise<Pick<StatusRow, 'newest_comparison' | 'schema_warnings'>> {
  const { outcome, newest, report } = await provenAndSince(ports, project)
  return {
    newest_comparison: outcome === null || newest === null ? null : newestInWords(newest, outcome),
    schema_warnings: report === null ? [] : schemaWarnings(report),
  }
}

/** @throws EVIDENCE_INVALID, NOT_FOUND where what the record names is not what was recorded */
export async function statusRow(
  ports: Place['ports'],
  project: ProjectRecord,
  running: readonly Standing[] | undefined,
): Promise<StatusRow> {
  const now = ports.clock.now()
  const { artifacts: _, ...shown } = project
  return {
    ...shown,
    unreadable: null,
    ...(await sinceWords(ports, project)),
    nights: nightsInWords(await trendOf(ports, project)),
    running: running ?? [],
    working: running === undefined ? [] : workingNow(await ports.progress.read(project.project_id), now),
    waiting_for: (await ports.approvals.byProject(project.project_id))
      .filter((request) => request.status === 'PENDING' && request.expires_at > now.toISOString())
      .map(({ role, approver, transition, expires_at, questions, proof_made_at }) => ({
        role,
        approver,
        transition: transition ?? 'open questions',
        expires_at,
        ...(questions === undefined ? {} : { questions }),
        ...(proof_made_at === undefined ? {} : { proof_made_at }),
      })),
  }
}
