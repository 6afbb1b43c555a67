import { getJson } from '../../layers/core/artifacts.ts'
import { sha256 } from '../../layers/core/digest.ts'
import { approvalStatements, artifactJson, planOf } from '../../layers/core/flow/project-artifacts.ts'
import { readApproval } from '../../layers/core/flow/statements.ts'
import { keyOf, type StoringDeps, storeOnce } from '../../layers/core/flow/storing.ts'
import { trendOf } from '../../layers/core/nights/trend.ts'
import type { Ports } from '../../layers/core/ports.ts'
import { type ReportModel, reportHtml } from '../../layers/core/report/html.ts'
import { reportMarkdown } from '../../layers/core/report/markdown.ts'
import type { ArtifactPointer } from '../../layers/core/schemas/common.ts'
import type { Outcome } from '../../layers/core/schemas/outcome.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'
import { explanation } from '../../layers/core/schemas/proposal.ts'
import { checksReport } from '../../layers/core/schemas/recon.ts'
import { mergedReport, recordedExecution } from '../work/recorded-reports.ts'

type Deps = StoringDeps & Pick<Ports, 'trust' | 'audit'>

/** `report.html` and `report.md` of one reconciliation run, from documents only. */
export async function storeReports(
  deps: Deps,
  project: ProjectRecord,
  outcome: Outcome,
  reconRunId: string,
): Promise<{ report_html: ArtifactPointer; report_md: ArtifactPointer }> {
  const id = project.project_id
  const model = await modelOf(deps, project, outcome, reconRunId)
  const html = await storeOnce(deps, keyOf(id, 'report_html', reconRunId, 'html'), 'text/html; charset=utf-8', () =>
    Buffer.from(reportHtml(model)),
  )
  const markdown = await storeOnce(deps, keyOf(id, 'report_md', reconRunId, 'md'), 'text/markdown; charset=utf-8', () =>
    Buffer.from(reportMarkdown(model)),
  )
  return { report_html: html, report_md: markdown }
}

async function modelOf(deps: Deps, project: ProjectRecord, outcome: Outcome, reconRunId: string): Promise<ReportModel> {
  const { artifacts } = deps
  const id = project.project_id
  const checks = await artifacts.find(keyOf(id, 'checks_report', reconRunId))
  const approvals = (await approvalStatements(artifacts, id)).flatMap((bytes) => {
    const predicate = readApproval(bytes, deps.trust)
    return predicate === null ? [] : [{ predicate, statement_sha256: sha256(bytes) }]
  })
  const explained = `explanation.${reconRunId}`
  return {
    title: project.title,
    state: project.state === 'EXECUTED' ? 'RECONCILED' : project.state,
    plan: await planOf(artifacts, project),
    execution: await recordedExecution(deps, id),
    recon: (await mergedReport(deps, id, reconRunId)).report,
    checks: await getJson(artifacts, checks!, checksReport),
    outcome,
    explanation: project.artifacts[explained] ? await artifactJson(artifacts, project, explained, explanation) : null,
    approvals,
    nights: (await trendOf(deps, project)).nights,
  }
}
