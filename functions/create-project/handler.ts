import { chooseArchetype } from '../../layers/core/archetype-registry.ts'
import { artifactOf } from '../../layers/core/artifacts.ts'
import { digestOf } from '../../layers/core/canonical-json.ts'
import { isWaybillError, WaybillError } from '../../layers/core/errors.ts'
import { readEvent, type TaskEvent, type TaskResult, taskEvent } from '../../layers/core/flow/event.ts'
import { FIRST_RUN, type NumberedSpec, newestSpec, specKey } from '../../layers/core/flow/numbered-spec.ts'
import { artifactJson, planOf } from '../../layers/core/flow/project-artifacts.ts'
import { keyOf, type StoringDeps, storeJsonOnce } from '../../layers/core/flow/storing.ts'
import { takesCorrectedSpec } from '../../layers/core/lifecycle.ts'
import type { Ports } from '../../layers/core/ports.ts'
import { advance, open, type ProjectDeps } from '../../layers/core/project-service.ts'
import { archetypes, hashingSpecSha256, isShippedArchetype, typeCoercionSha256 } from '../../layers/core/rulebooks.ts'
import { findings as findingsSchema } from '../../layers/core/schemas/finding.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'
import { readSpec } from '../../layers/core/spec-reader.ts'
import { waiversOf } from '../work/project-waivers.ts'
import { staleness } from '../work/signed-policy.ts'

type Deps = StoringDeps & ProjectDeps & Pick<Ports, 'projects' | 'trust'>

/** Creates the project of a spec that was stored before the start, or takes up one that exists. `decision` is its state. */
export function createHandler(deps: Deps) {
  return async (input: TaskEvent): Promise<TaskResult> => {
    const { project_id, run_id } = readEvent(taskEvent, input)
    const existing = await find(deps, project_id)
    const project = existing === null ? await create(deps, project_id, run_id) : await takeUp(deps, existing, run_id)
    return { project_id, run_id, decision: project.state }
  }
}

async function create(deps: Deps, projectId: string, runId: string): Promise<ProjectRecord> {
  const first = { number: 1, pointer: await deps.artifacts.find(specKey(projectId, 1)) }
  // A later run may be there because the first spec was refused and corrected.
  const { number, pointer } = runId === FIRST_RUN ? first : ((await newestSpec(deps.artifacts, projectId)) ?? first)
  if (pointer === null) throw new WaybillError('NOT_FOUND', `No migration spec was stored for ${projectId}. Start it with waybill run.`)
  const { parsed, archetype, artifacts } = await readInto(deps, projectId, { number, pointer })
  const now = deps.clock.now().toISOString()
  const project: ProjectRecord = {
    project_id: projectId,
    revision: 1,
    state: 'CREATED',
    failed_from: null,
    failure: null,
    title: parsed.title,
    migration_id: parsed.migration_id,
    author: parsed.author,
    archetype_id: archetype.id,
    plan_version: 0,
    clean_runs: 0,
    created_at: now,
    updated_at: now,
    artifacts,
  }
  return open(deps, project, {
    actor: parsed.author,
    action: 'PROJECT_CREATED',
    subject_sha256: pointer.sha256,
    details: { migration_id: parsed.migration_id, archetype: archetype.id, policy_version: deps.policy.version },
  })
}

/** The spec, what it is carried out by, and the artifacts that a project begins with. @throws SPEC_INVALID */
async function readInto(deps: Deps, projectId: string, { number, pointer: spec }: NumberedSpec) {
  const parsed = readSpec(await deps.artifacts.get(spec))
  const archetype = chooseArchetype(parsed, archetypes)
  const policy = await storeJsonOnce(deps, keyOf(projectId, 'policy', digestOf(deps.policy).slice(0, 16)), () => deps.policy)
  const template = await storeJsonOnce(deps, keyOf(projectId, 'archetype', String(number)), () => archetype)
  return { parsed, archetype, artifacts: { spec, policy, archetype: template } }
}

/** From a corrected spec, as if there had been no other: neither answers nor proposals nor a plan of the old one stay with the project. */
async function beginAnew(deps: Deps, project: ProjectRecord, corrected: NumberedSpec, runId: string): Promise<ProjectRecord> {
  const { parsed, archetype, artifacts } = await readInto(deps, project.project_id, corrected)
  return advance(deps, project.project_id, {
    to: 'CREATED',
    actor: parsed.author,
    action: 'SPEC_CORRECTED',
    subject_sha256: corrected.pointer.sha256,
    artifacts,
    anew: true,
    set: { title: parsed.title, migration_id: parsed.migration_id, author: parsed.author, archetype_id: archetype.id },
    details: {
      run_id: runId,
      spec: String(corrected.number),
      replaces_sha256: artifactOf(project, 'spec').sha256,
      after: project.failure?.code ?? '',
      archetype: archetype.id,
      policy_version: deps.policy.version,
    },
  })
}

/** A failed project goes back to where it failed, or to its beginning with a corrected spec; any other stays where it is; from a signed plan that is stale, back to planning. */
async function takeUp(deps: Deps, project: ProjectRecord, runId: string): Promise<ProjectRecord> {
  const newest = takesCorrectedSpec(project) ? await newestSpec(deps.artifacts, project.project_id) : null
  if (newest !== null && newest.pointer.sha256 !== artifactOf(project, 'spec').sha256) return beginAnew(deps, project, newest, runId)
  const stands = project.state === 'FAILED' ? project.failed_from : project.state
  const stale = stands === 'PLANNED' ? await staleReasons(deps, project) : []
  if (stale.length > 0) {
    return advance(deps, project.project_id, {
      to: 'PLAN_DRAFTED',
      actor: 'waybill/create-project',
      action: 'PLAN_STALE',
      subject_sha256: project.artifacts.migration_plan?.sha256 ?? null,
      details: { run_id: runId, plan_version: String(project.plan_version), why: stale.join('; ') },
    })
  }
  if (project.state !== 'FAILED' || project.failed_from === null) return project
  return advance(deps, project.project_id, {
    to: project.failed_from,
    actor: 'waybill/create-project',
    action: 'PROJECT_TAKEN_UP',
    details: { run_id: runId, after: project.failure?.code ?? '' },
  })
}

/**
 * Why no worker would carry out the signed plan any more. Whoever answers wrongly here opens nothing: another plan is validated, approved
 * and signed like the first, and the barrier judges for itself. A waiver that ran out needs a new plan too.
 */
async function staleReasons(deps: Deps, project: ProjectRecord): Promise<string[]> {
  const plan = await planOf(deps.artifacts, project)
  const now = deps.clock.now().getTime()
  const reasons = await staleness(deps, plan)
  if (plan.rulebooks.type_coercion_sha256 !== typeCoercionSha256 || plan.rulebooks.hashing_spec_sha256 !== hashingSpecSha256)
    reasons.push('the plan was made with other rulebooks than this release has')
  if (!isShippedArchetype(plan.archetype.sha256)) reasons.push('the plan was made from another archetype than this release has')
  if (now >= Date.parse(plan.expires_at)) reasons.push(`the plan expired at ${plan.expires_at}`)
  const { waived = [] } = await artifactJson(deps.artifacts, project, 'findings', findingsSchema)
  const waivers = waived.length === 0 ? [] : await waiversOf(deps, project.project_id)
  for (const { sha256, predicate } of waivers) {
    const counted = waived.some((each) => each.waiver_sha256 === sha256)
    if (counted && now >= Date.parse(predicate.expires_at)) reasons.push(`a waiver of it expired at ${predicate.expires_at}`)
  }
  return reasons
}

async function find(deps: Deps, projectId: string): Promise<ProjectRecord | null> {
  try {
    return await deps.projects.get(projectId)
  } catch (error) {
    if (isWaybillError(error) && error.code === 'NOT_FOUND') return null
    throw error
  }
}
