import type { z } from 'zod'
import { artifactOf, getJson } from '../artifacts.ts'
import type { ArtifactStore } from '../ports.ts'
import { type Plan, plan as planSchema } from '../schemas/plan.ts'
import type { ProjectRecord } from '../schemas/project.ts'
import type { MigrationSpec } from '../schemas/spec.ts'
import { readSpec } from '../spec-reader.ts'
import { listed } from './storing.ts'

/** The value of a project's artifact, its bytes and shape checked. @throws NOT_FOUND, EVIDENCE_INVALID */
export async function artifactJson<S extends z.ZodType>(
  store: ArtifactStore,
  project: ProjectRecord,
  name: string,
  schema: S,
): Promise<z.infer<S>> {
  return getJson(store, artifactOf(project, name), schema)
}

export async function artifactBytes(store: ArtifactStore, project: ProjectRecord, name: string): Promise<Uint8Array> {
  return store.get(artifactOf(project, name))
}

export async function specOf(store: ArtifactStore, project: ProjectRecord): Promise<MigrationSpec> {
  return readSpec(await artifactBytes(store, project, 'spec'))
}

export async function planOf(store: ArtifactStore, project: ProjectRecord): Promise<Plan> {
  return artifactJson(store, project, 'migration_plan', planSchema)
}

const approvalsPrefix = (projectId: string) => `projects/${projectId}/approvals/`

/** One statement per approval request, ever: the first write under its key wins, whatever a second click says. */
export function approvalKey(projectId: string, approvalId: string): string {
  return `${approvalsPrefix(projectId)}${approvalId}.dsse.json`
}

/** Every signed approval statement of a project. Signed is not yet accepted: the barrier judges each. */
export async function approvalStatements(store: ArtifactStore, projectId: string): Promise<Uint8Array[]> {
  const found = await listed(store, approvalsPrefix(projectId))
  return Promise.all(found.map(({ pointer }) => store.get(pointer)))
}
