import { visible } from '../../layers/core/approval-page/visible-text.ts'
import { artifactOf } from '../../layers/core/artifacts.ts'
import { canonicalJson } from '../../layers/core/canonical-json.ts'
import { readEvent, type TaskEvent, type TaskResult, taskEvent } from '../../layers/core/flow/event.ts'
import { artifactBytes, artifactJson, planOf } from '../../layers/core/flow/project-artifacts.ts'
import { keyOf, type StoringDeps, storeJsonOnce } from '../../layers/core/flow/storing.ts'
import type { Ports } from '../../layers/core/ports.ts'
import { advance, type ProjectDeps } from '../../layers/core/project-service.ts'
import { hashingSpec, typeCoercionRulebook } from '../../layers/core/rulebooks.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'
import { rewriteProposal } from '../../layers/core/schemas/proposal.ts'
import { type VouchedDeps, vouchedRecord } from '../work/vouched-record.ts'
import { rollbackRunbook } from './rollback-runbook.ts'

const ACTOR = 'waybill/create-pull-request'

type Deps = StoringDeps & ProjectDeps & VouchedDeps & Pick<Ports, 'git'>

/** Branch, commit and pull request with everything a reviewer needs. Nobody here can merge. The project is PR_CREATED. */
export function createHandler(deps: Deps) {
  return async (input: TaskEvent): Promise<TaskResult> => {
    const { project_id, run_id } = readEvent(taskEvent, input)
    const project = await vouchedRecord(deps, project_id, ACTOR)
    const pointer = await storeJsonOnce(deps, keyOf(project_id, 'pull_request', run_id), async () => {
      const published = await deps.git.publish({
        branch: `waybill/${project_id}/v${project.plan_version}`,
        base: 'main',
        title: `Migration: ${visible(project.title, 120)}`,
        body: Buffer.from(await artifactBytes(deps.artifacts, project, 'report_md'))
          .toString('utf8')
          .slice(0, 60_000),
        files: await filesOf(deps, project),
      })
      return { schema: 'waybill/pull-request/v1', project_id, ...published }
    })
    await advance(deps, project_id, {
      to: 'PR_CREATED',
      actor: ACTOR,
      action: 'PULL_REQUEST_CREATED',
      subject_sha256: pointer.sha256,
      artifacts: { pull_request: pointer },
      details: { plan_version: String(project.plan_version) },
    })
    return { project_id, run_id }
  }
}

/** A larger document is named by its digest: no host shows it, and a request with several of them is refused. */
const MOST_BYTES = 1_000_000

/** Folders by what they hold; all of one migration under one root, so that several share a repository. */
async function filesOf(deps: Deps, project: ProjectRecord): Promise<{ path: string; content: string }[]> {
  const root = `migrations/${project.migration_id.toLowerCase()}`
  const text = async (path: string, artifact: string) => {
    const bytes = await artifactBytes(deps.artifacts, project, artifact)
    if (bytes.length <= MOST_BYTES) return { path: `${root}/${path}`, content: Buffer.from(bytes).toString('utf8') }
    const pointer = { artifact, bytes: String(bytes.length), sha256: artifactOf(project, artifact).sha256, lies_in: 'the evidence store' }
    return { path: `${root}/${path}.pointer.json`, content: `${JSON.stringify(pointer, null, 2)}\n` }
  }
  const plan = await planOf(deps.artifacts, project)
  const { files: code } = await artifactJson(deps.artifacts, project, 'rewrite', rewriteProposal)
  return [
    ...code,
    await text('plan/migration_plan.json', 'migration_plan'),
    await text('plan/signed_plan.dsse.json', 'signed_plan'),
    await text('plan/findings.json', 'findings'),
    await text('contracts/schema_mapping.json', 'schema_mapping'),
    await text('configs/policy.json', 'policy'),
    await text('configs/archetype.json', 'archetype'),
    { path: `${root}/configs/type_coercion_rulebook.json`, content: canonicalJson(typeCoercionRulebook) },
    { path: `${root}/configs/hashing_spec.json`, content: canonicalJson(hashingSpec) },
    await text('reconciliation/recon_report.json', 'recon_report'),
    await text('reconciliation/checks_report.json', 'checks_report'),
    { path: `${root}/runbooks/rollback.md`, content: rollbackRunbook(plan) },
    await text('evidence/outcome.json', 'outcome'),
    await text('evidence/proof_certificate.dsse.json', 'proof_certificate'),
    await text('evidence/report.md', 'report_md'),
  ]
}
