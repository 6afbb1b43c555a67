import { chooseArchetype } from '../../layers/core/archetype-registry.ts'
import { artifactOf } from '../../layers/core/artifacts.ts'
import { sha256 } from '../../layers/core/digest.ts'
import { isWaybillError, WaybillError } from '../../layers/core/errors.ts'
import { FIRST_RUN, newestSpec, specKey } from '../../layers/core/flow/numbered-spec.ts'
import { takesCorrectedSpec } from '../../layers/core/lifecycle.ts'
import type { Ports } from '../../layers/core/ports.ts'
import { archetypes } from '../../layers/core/rulebooks.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'
import { readSpec } from '../../layers/core/spec-reader.ts'

/** Where a spec is to begin: what is there already under its id, and how that place is called in a sentence. */
export type Ground = {
  place: string
  /** As in `waybill resume --aws`; empty for a home. */
  flags: string
  projectId: string
  project: ProjectRecord | null
  /** How many executions of it there were, and whether the last one still runs. */
  attempts: number
  running: boolean
}

/**
 * Stores a spec that may begin here, and gives the run that takes it up: of a new project, or of one that failed before any plan of it was
 * signed. A spec is stored once, under the next number, and never overwritten. One that was stored and then not started is started.
 * @throws SPEC_INVALID, ALREADY_EXISTS with what works instead
 */
export async function beginning(
  ports: Pick<Ports, 'artifacts' | 'clock'>,
  specText: string,
  ground: Ground,
): Promise<{ attempt: number; runId: string }> {
  const { projectId, project, attempts } = ground
  chooseArchetype(readSpec(specText), archetypes)
  const newest = await newestSpec(ports.artifacts, projectId)
  const given = sha256(specText)
  refuseTaken(given, newest?.pointer.sha256 ?? null, ground)
  const number = newest?.pointer.sha256 === given ? newest.number : (newest?.number ?? 0) + 1
  if (number !== newest?.number) {
    // A bucket's own retention locks it, whatever is asked for here.
    const put = { contentType: 'application/yaml', retainUntil: ports.clock.now() }
    await ports.artifacts.put(specKey(projectId, number), Buffer.from(specText), put).catch((error: unknown) => {
      if (!isWaybillError(error) || error.code !== 'ALREADY_EXISTS') throw error
      throw new WaybillError(
        'ALREADY_EXISTS',
        `Somebody stored another spec for ${projectId} just now. See what became of it: ${look(ground)}.`,
      )
    })
  }
  const first = project === null && attempts === 0
  return { attempt: attempts + 1, runId: first ? FIRST_RUN : `retry-${attempts}` }
}

const look = ({ flags, projectId }: Ground) => `waybill status${flags} ${projectId}`

function refuseTaken(given: string, newest: string | null, ground: Ground): void {
  const { place, flags, projectId, project, attempts, running } = ground
  const refuse = (why: string) => {
    throw new WaybillError('ALREADY_EXISTS', why)
  }
  const resume = `"waybill resume${flags} ${projectId}"`
  if (running)
    refuse(`${place} has a project ${projectId} already, and it is running. See it with "${look(ground)}", watch it with ${resume}.`)
  if (project === null) {
    if (attempts === 0 && newest !== null && newest !== given)
      refuse(
        `Another spec was stored for ${projectId} in ${place} and never started; nothing is overwritten there. Choose another migration_id.`,
      )
    return
  }
  if (!takesCorrectedSpec(project)) {
    const ended = project.state === 'EVIDENCE_COMPLETE' || project.state === 'REJECTED' || project.state === 'ROLLED_BACK'
    const goOn = ended ? '' : ` Go on with it: ${resume}.`
    const why = project.plan_version > 0 ? 'a plan of it was signed' : 'it has not failed'
    const says = ended ? 'has ended' : `is ${project.state}, and takes no other spec, because ${why}`
    refuse(`${place} has a project ${projectId} already; it ${says}.${goOn} For another spec, choose another migration_id.`)
  }
  if (newest === given && artifactOf(project, 'spec').sha256 === given)
    refuse(
      `${place} has a project ${projectId} already, and it failed with this very spec. Correct the spec and run it again, or try the same one again: ${resume}.`,
    )
}
