import type { LocalPlatform } from '../../functions/local.ts'
import { isWaybillError, WaybillError } from '../../layers/core/errors.ts'
import type { Ports } from '../../layers/core/ports.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'
import { readSpec } from '../../layers/core/spec-reader.ts'
import { beginning } from './beginning.ts'
import { executionName, waitForEnd } from './drive.ts'

/** `Flights-2026` → `flights-2026`: one migration id is one project of a home. */
export function projectIdOf(migrationId: string): string {
  return migrationId.toLowerCase()
}

async function existing(ports: Ports, projectId: string): Promise<ProjectRecord | null> {
  return ports.projects.get(projectId).catch((error: unknown) => {
    if (isWaybillError(error) && error.code === 'NOT_FOUND') return null
    throw error
  })
}

/**
 * Stores the spec and starts the migration; a corrected spec starts a project anew that failed before any plan of it was signed.
 * @throws SPEC_INVALID, ALREADY_EXISTS when this home has a project of that id that takes no other spec
 */
export async function startProject(platform: LocalPlatform, specText: string): Promise<{ projectId: string; execution: string }> {
  const projectId = projectIdOf(readSpec(specText).migration_id)
  const known = executionsOf(platform, projectId)
  const { attempt, runId } = await beginning(platform.ports, specText, {
    place: 'This home',
    flags: '',
    projectId,
    project: await existing(platform.ports, projectId),
    attempts: known.length,
    running: known.some((name) => statusOf(platform, name) === 'RUNNING'),
  })
  const execution = executionName(projectId, attempt)
  await platform.runner.start('migration', execution, { project_id: projectId, run_id: runId })
  return { projectId, execution }
}

/** A project in one of these is not taken up again. */
export const isEnd = (state: ProjectRecord['state']) => state === 'EVIDENCE_COMPLETE' || state === 'REJECTED' || state === 'ROLLED_BACK'

/**
 * Takes up what was running, starts a failed project again where it stood, and redrives what ended without telling the project, such as an
 * execution that took too long. Of one project, or of all whose record can be read. Returns the executions to wait for.
 */
export async function takeUp(platform: LocalPlatform, only?: string): Promise<{ projectId: string; execution: string }[]> {
  const resumed = await platform.runner.resume()
  const taken: { projectId: string; execution: string }[] = []
  const { projects } = platform.ports
  const asked = only === undefined ? (await projects.list()).records : [await existing(platform.ports, only)]
  for (const project of asked) {
    if (project === null) continue
    const known = executionsOf(platform, project.project_id)
    const running = known.find((name) => resumed.includes(name))
    const newest = known.at(-1)
    if (running !== undefined) taken.push({ projectId: project.project_id, execution: running })
    else if (project.state === 'FAILED') {
      const execution = executionName(project.project_id, known.length + 1)
      await platform.runner.start('migration', execution, { project_id: project.project_id, run_id: `retry-${known.length}` })
      taken.push({ projectId: project.project_id, execution })
    } else if (newest !== undefined && !isEnd(project.state) && ENDED_BADLY.has(statusOf(platform, newest) ?? '')) {
      await platform.runner.redrive(newest)
      taken.push({ projectId: project.project_id, execution: newest })
    }
  }
  return taken
}

const ENDED_BADLY = new Set(['FAILED', 'TIMED_OUT', 'ABORTED'])

/** Names of its executions, oldest first. */
function executionsOf(platform: LocalPlatform, projectId: string): string[] {
  const names: string[] = []
  for (;;) {
    const next = executionName(projectId, names.length + 1)
    if (statusOf(platform, next) === null) return names
    names.push(next)
  }
}

function statusOf(platform: LocalPlatform, execution: string): string | null {
  try {
    return platform.runner.describe(execution).status
  } catch {
    return null
  }
}

/** Waits for the end and gives the project as it then stands. */
export async function finished(platform: LocalPlatform, started: { projectId: string; execution: string }): Promise<ProjectRecord> {
  await waitForEnd(platform, started.execution)
  const project = await existing(platform.ports, started.projectId)
  if (project !== null) return project
  const { failure } = platform.runner.describe(started.execution)
  throw new WaybillError(
    'SPEC_INVALID',
    `The project was not created: ${failure?.cause ?? failure?.error ?? 'see the log'}. Correct the spec and run it again.`,
  )
}
