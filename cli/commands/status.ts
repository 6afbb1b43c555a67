import { Command } from 'commander'
import { WaybillError } from '../../layers/core/errors.ts'
import { newestInWords } from '../../layers/core/newest-comparison.ts'
import { trendOf } from '../../layers/core/nights/trend.ts'
import type { Ports } from '../../layers/core/ports.ts'
import { moment } from '../../layers/core/report/markup.ts'
import type { ApprovalRequest } from '../../layers/core/schemas/governance.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'
import { onRecords } from '../platform/open.ts'
import { type PlaceOptions, placeOptions } from '../platform/options.ts'
import { nightsInWords } from '../run/nights.ts'
import { provenAndSince } from '../run/summary.ts'
import { workingNow, workingWords } from '../run/working.ts'
import { columns, type Terminal, visible } from '../terminal.ts'

/** What was found since the proof was made, in a sentence; null where nothing was. */
async function newestWords(ports: Pick<Ports, 'artifacts' | 'audit'>, project: ProjectRecord): Promise<string | null> {
  const { outcome, newest } = await provenAndSince(ports, project)
  return outcome === null || newest === null ? null : newestInWords(newest, outcome)
}

/** Which questions are open, and how old a proof is that somebody decides on. */
function askedOf({ questions, proof_made_at: made }: Pick<ApprovalRequest, 'questions' | 'proof_made_at'>): string {
  if (made !== undefined) return `, on the proof of ${moment(Date.parse(made))}`
  if (questions === undefined) return ''
  const more = questions.count - questions.ids.length
  return ` (${questions.ids.join(', ')}${more > 0 ? ` and ${more} more` : ''})`
}

export function statusCommand(terminal: Terminal): Command {
  const command = new Command('status')
    .description('every project: its state, where it stands, and who is being waited for')
    .argument('[project]', 'only this project')
  return placeOptions(command)
    .option('--json', 'as JSON')
    .action(async (only: string | undefined, options: PlaceOptions & { json?: boolean }) => {
      await onRecords(options, async ({ ports, name, flags, running }) => {
        const projects = (await ports.projects.list()).filter((project) => only === undefined || project.project_id === only)
        if (only !== undefined && projects.length === 0) throw new WaybillError('NOT_FOUND', `There is no project ${only} in ${name}.`)
        const standing = await running()
        const shown = await Promise.all(
          projects.map(async ({ artifacts, ...project }) => ({
            ...project,
            newest_comparison: await newestWords(ports, { ...project, artifacts }),
            nights: nightsInWords(await trendOf(ports, { ...project, artifacts })),
            running: standing.get(project.project_id) ?? [],
            working: standing.has(project.project_id) ? workingNow(await ports.progress.read(project.project_id), ports.clock.now()) : [],
            waiting_for: (await ports.approvals.byProject(project.project_id))
              .filter((request) => request.status === 'PENDING' && request.expires_at > ports.clock.now().toISOString())
              .map(({ role, approver, transition, expires_at, questions, proof_made_at }) => ({
                role,
                approver,
                transition: transition ?? 'open questions',
                expires_at,
                ...(questions === undefined ? {} : { questions }),
                ...(proof_made_at === undefined ? {} : { proof_made_at }),
              })),
          })),
        )
        if (options.json) terminal.out(JSON.stringify(shown, null, 2))
        else if (shown.length === 0) terminal.out(`No projects yet. Start one: waybill run${flags} migration.yaml`)
        else {
          terminal.out(
            columns([['project', 'state', 'since', 'title'], ...shown.map((p) => [p.project_id, p.state, p.updated_at, visible(p.title)])]),
          )
          for (const project of shown) {
            if (project.failure) terminal.out(`  ${project.project_id}: ${project.failure.code}: ${visible(project.failure.reason)}`)
            for (const { execution, states, since } of project.running)
              terminal.out(`  ${project.project_id}: ${execution}, begun ${since}, stands in ${states.join(', ') || 'its first state'}`)
            if (project.newest_comparison !== null) terminal.out(`  ${project.project_id}: ${visible(project.newest_comparison)}`)
            if (project.nights !== null) terminal.out(`  ${project.project_id}: ${project.nights}`)
            for (const one of project.working) terminal.out(`  ${project.project_id}: ${workingWords(one)}`)
            for (const wait of project.waiting_for)
              terminal.out(
                `  ${project.project_id} waits for ${wait.approver} (${wait.role}): ${wait.transition}${askedOf(wait)}, until ${wait.expires_at}`,
              )
          }
        }
      })
    })
}
