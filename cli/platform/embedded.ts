import { existsSync } from 'node:fs'
import { type LocalPlatform, openLocalPorts } from '../../functions/local.ts'
import { isWaybillError, WaybillError } from '../../layers/core/errors.ts'
import { keysIn } from '../../layers/core/flow/storing.ts'
import type { ArtifactStore } from '../../layers/core/ports.ts'
import { type DriveOptions, waitForEnd, withPlatform } from '../run/drive.ts'
import { finished, startProject, takeUp } from '../run/project.ts'
import { type Platform, type Records, reconciliationOf, type Standing, type StoredAnchors } from './platform.ts'

/** Opens the home, lets `work` drive migrations in it, and closes it whatever happens. Interrupting keeps every state for `resume`. */
export function withEmbedded<T>(options: DriveOptions, work: (platform: Platform) => Promise<T>): Promise<T> {
  return withPlatform(options, (local) => work(platformOver(local)))
}

function platformOver(local: LocalPlatform): Platform {
  const { ports, runner } = local
  return {
    ports,
    name: 'this home',
    flags: '',
    people: `approval pages at ${local.approvalsUrl}; mail in ${local.home.outbox}`,
    start: (specText) => startProject(local, specText),
    takeUp: (projectId) => takeUp(local, projectId),
    finished: (started) => finished(local, started),
    async reconcile(projectId, night) {
      await ports.projects.get(projectId)
      const { started, input } = reconciliationOf(projectId, ports.clock.now(), night)
      await runner.start('reconcile', started.execution, input)
      return started
    },
    reconciled: ({ execution }) => waitForEnd(local, execution),
  }
}

export function requireHome(home: string): string {
  if (!existsSync(home)) throw new WaybillError('NOT_FOUND', `There is no home at ${home}. Name it with --home; a demo's is DIR/home.`)
  return home
}

/** What a home holds. @throws NOT_FOUND */
export async function withHomeRecords<T>(home: string, work: (records: Records) => Promise<T>): Promise<T> {
  const { ports, running, close } = await openLocalPorts({ home: requireHome(home), env: process.env, publicUrl: '', onLog: () => {} })
  try {
    return await work({
      ports,
      name: 'this home',
      flags: '',
      running: async () => byProject(running()),
      trust: async () => ports.trust,
      anchors: (projectId) => anchorsIn(ports.artifacts, projectId),
    })
  } finally {
    close()
  }
}

/** A home's anchors of one project's log. */
export async function anchorsIn(artifacts: ArtifactStore, projectId: string): Promise<StoredAnchors> {
  const found: StoredAnchors = { anchors: [], faults: [] }
  for (const key of await keysIn(artifacts, `projects/${projectId}/anchors/`)) {
    const name = key.slice(key.lastIndexOf('/') + 1)
    try {
      const pointer = await artifacts.find(key)
      if (pointer !== null) found.anchors.push({ name, bytes: await artifacts.get(pointer) })
    } catch (error) {
      if (!isWaybillError(error)) throw error
      found.faults.push(`the anchor ${name} cannot be read: ${error.message}`)
    }
  }
  return found
}

function byProject(executions: ReturnType<Awaited<ReturnType<typeof openLocalPorts>>['running']>): Map<string, Standing[]> {
  const found = new Map<string, Standing[]>()
  for (const { name, machine, input, started_at, standing } of executions) {
    const project = String((input as { project_id?: unknown } | null)?.project_id)
    const states = [...new Set(standing.map(({ state }) => state))]
    found.set(project, [...(found.get(project) ?? []), { execution: name, machine, states, since: started_at }])
  }
  return found
}
