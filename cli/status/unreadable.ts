import { isWaybillError } from '../../layers/core/errors.ts'
import type { LifecycleState, ProjectRecord } from '../../layers/core/schemas/project.ts'
import type { Place } from '../platform/platform.ts'
import { type Terminal, visible } from '../terminal.ts'

/** A project whose record, or what it names, somebody spoiled: shown as what it is, and no reason to be silent about the others. `state`: null without a record. */
export type Unreadable = { project_id: string; state: LifecycleState | null; unreadable: string; remedy: string }

/** What to do, for whoever reads it. */
export const SPOILED =
  'Nothing goes on in this project until that is put right: find out who wrote there, and do as docs/runbook.md says under "A record was spoiled".'

export function unreadable({ flags }: Pick<Place, 'flags'>, { project_id, says }: { project_id: string; says: string }): Unreadable {
  const remedy = `${SPOILED} "waybill audit verify${flags} ${project_id}" says what else is wrong.`
  return { project_id, state: null, unreadable: says, remedy }
}

/** What `reading` gives; where one project's own data were spoiled, what is wrong with it. Not being able to look at all throws as ever. */
export async function orUnreadable<T>(
  place: Pick<Place, 'flags'>,
  { project_id, state }: ProjectRecord,
  reading: () => Promise<T>,
): Promise<T | Unreadable> {
  try {
    return await reading()
  } catch (error) {
    if (!isWaybillError(error) || (error.code !== 'EVIDENCE_INVALID' && error.code !== 'NOT_FOUND')) throw error
    return { ...unreadable(place, { project_id, says: error.message }), state }
  }
}

export function printUnreadable(terminal: Terminal, { project_id, unreadable: says, remedy }: Unreadable): void {
  terminal.err(`${terminal.paint('red', 'cannot be read')}  ${visible(project_id)}: ${visible(says)}\n  ${visible(remedy)}`)
}
