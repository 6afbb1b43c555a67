import { sha256 } from '../../layers/core/digest.ts'
import { readEvent, type TaskEvent, type TaskResult, taskEvent } from '../../layers/core/flow/event.ts'
import { artifactBytes, artifactJson, planOf, specOf } from '../../layers/core/flow/project-artifacts.ts'
import { keyOf, type StoringDeps, storeJsonOnce } from '../../layers/core/flow/storing.ts'
import type { Ports } from '../../layers/core/ports.ts'
import { advance, type ProjectDeps } from '../../layers/core/project-service.ts'
import { hashingSpec, typeCoercionRulebook } from '../../layers/core/rulebooks.ts'
import { validate } from '../../layers/core/rules/index.ts'
import { findings as findingsSchema } from '../../layers/core/schemas/finding.ts'
import { discoveryReport } from '../../layers/core/schemas/report.ts'
import { waiversOf } from '../work/project-waivers.ts'

type Deps = StoringDeps & ProjectDeps & Pick<Ports, 'projects' | 'trust'>

/** Runs the six validators over the drafted plan; a finding that somebody waived as the policy allows blocks no more. `decision` is PASS or FAIL. */
export function createHandler(deps: Deps) {
  return async (input: TaskEvent): Promise<TaskResult> => {
    const { project_id, run_id } = readEvent(taskEvent, input)
    const project = await deps.projects.get(project_id)
    const plan = await planOf(deps.artifacts, project)
    const planSha256 = sha256(await artifactBytes(deps.artifacts, project, 'migration_plan'))
    const { approvers } = await specOf(deps.artifacts, project)
    const { source } = await artifactJson(deps.artifacts, project, 'discovery_report', discoveryReport)
    const found = validate(plan, planSha256, {
      policy: deps.policy,
      typeCoercion: typeCoercionRulebook,
      hashingSpec,
      catalog: source,
      approvers,
      gate: null,
      signed: null,
      waivers: await waiversOf(deps, project_id),
      now: deps.clock.now(),
    })
    const pointer = await storeJsonOnce(deps, keyOf(project_id, 'findings', `${run_id}-${planSha256.slice(0, 12)}`), () =>
      findingsSchema.parse(found),
    )
    await advance(deps, project_id, {
      actor: 'waybill/validate-plan',
      action: 'PLAN_VALIDATED',
      subject_sha256: planSha256,
      artifacts: { findings: pointer },
      details: {
        verdict: found.verdict,
        findings: String(found.findings.length),
        findings_sha256: pointer.sha256,
        ...(found.waived === undefined ? {} : { waived: String(found.waived.length) }),
      },
    })
    return { project_id, run_id, decision: found.verdict === 'pass' ? 'PASS' : 'FAIL' }
  }
}
