import { Command } from 'commander'
import { isWaybillError, WaybillError } from '../../layers/core/errors.ts'
import type { ListedProjects } from '../../layers/core/ports.ts'
import { moment } from '../../layers/core/report/markup.ts'
import { onRecords } from '../platform/open.ts'
import { type PlaceOptions, placeOptions } from '../platform/options.ts'
import type { Place } from '../platform/platform.ts'
import { printSchemaWarnings } from '../run/schema-warnings.ts'
import { workingWords } from '../run/working.ts'
import { type StatusRow, statusRow } from '../status/row.ts'
import { orUnreadable, type Unreadable, unreadable } from '../status/unreadable.ts'
import { columns, EXIT, type Terminal, visible } from '../terminal.ts'

/** Which questions are open, and how old a proof is that somebody decides on. */
function askedOf({ questions, proof_made_at: made }: StatusRow['waiting_for'][number]): string {
  if (made !== undefined) return `, on the proof of ${moment(Date.parse(made))}`
  if (questions === undefined) return ''
  const more = questions.count - questions.ids.length
  return ` (${questions.ids.join(', ')}${more > 0 ? ` and ${more} more` : ''})`
}

/** All of them, or the one: then no other is read. */
async function listed({ ports, name }: Pick<Place, 'ports' | 'name'>, only: string | undefined): Promise<ListedProjects> {
  if (only === undefined) return ports.projects.list()
  try {
    return { records: [await ports.projects.get(only)], unreadable: [] }
  } catch (error) {
    if (isWaybillError(error) && error.code === 'EVIDENCE_INVALID')
      return { records: [], unreadable: [{ project_id: only, says: error.message }] }
    if (isWaybillError(error) && error.code === 'NOT_FOUND') throw new WaybillError('NOT_FOUND', `There is no project ${only} in ${name}.`)
    throw error
  }
}

export function statusCommand(terminal: Terminal): Command {
  const command = new Command('status')
    .description('every project: its state, where it stands, and who is being waited for')
    .argument('[project]', 'only this project')
  return placeOptions(command)
    .option('--json', 'as JSON')
    .addHelpText(
      'after',
      '\nExit codes: 0 every project was read · 2 one could not be read, which has a row that says so, or nothing could',
    )
    .action(async (only: string | undefined, options: PlaceOptions & { json?: boolean }) => {
      await onRecords(options, async (place) => {
        const { records, unreadable: spoiled } = await listed(place, only)
        const standing = await place.running()
        const read = await Promise.all(
          records.map((project) => orUnreadable(place, project, () => statusRow(place.ports, project, standing.get(project.project_id)))),
        )
        const rows = [...read, ...spoiled.map((one) => unreadable(place, one))].sort((a, b) => (a.project_id < b.project_id ? -1 : 1))
        if (rows.some((row) => row.unreadable !== null)) process.exitCode = EXIT.undecided
        if (options.json) terminal.out(JSON.stringify(rows, null, 2))
        else if (rows.length === 0) terminal.out(`No projects yet. Start one: waybill run${place.flags} migration.yaml`)
        else printRows(terminal, rows)
      })
    })
}

function printRows(terminal: Terminal, rows: readonly (StatusRow | Unreadable)[]): void {
  const cells = rows.map((row) =>
    row.unreadable === null
      ? [row.project_id, row.state, row.updated_at, visible(row.title)]
      : [visible(row.project_id), ...(row.state === null ? ['cannot be read'] : [row.state, 'cannot be read'])],
  )
  terminal.out(columns([['project', 'state', 'since', 'title'], ...cells]))
  for (const row of rows) {
    const id = visible(row.project_id)
    if (row.unreadable !== null) {
      terminal.out(`  ${id}: ${terminal.paint('red', visible(row.unreadable))} ${visible(row.remedy)}`)
      continue
    }
    if (row.failure) terminal.out(`  ${id}: ${row.failure.code}: ${visible(row.failure.reason)}`)
    for (const { execution, states, since } of row.running)
      terminal.out(`  ${id}: ${execution}, begun ${since}, stands in ${states.join(', ') || 'its first state'}`)
    if (row.newest_comparison !== null) terminal.out(`  ${id}: ${visible(row.newest_comparison)}`)
    printSchemaWarnings(terminal, row.schema_warnings, `  ${id}: `)
    if (row.nights !== null) terminal.out(`  ${id}: ${row.nights}`)
    for (const one of row.working) terminal.out(`  ${id}: ${workingWords(one)}`)
    for (const wait of row.waiting_for)
      terminal.out(`  ${id} waits for ${wait.approver} (${wait.role}): ${wait.transition}${askedOf(wait)}, until ${wait.expires_at}`)
  }
}
