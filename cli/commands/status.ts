import { existsSync } from 'node:fs'
import { Command } from 'commander'
import { openLocalPorts } from '../../functions/local.ts'
import { WaybillError } from '../../layers/core/errors.ts'
import { columns, type Terminal, visible } from '../terminal.ts'
import { HOME_OPTION } from './run.ts'

export function requireHome(home: string): string {
  if (!existsSync(home)) throw new WaybillError('NOT_FOUND', `There is no home at ${home}. Name it with --home; a demo's is DIR/home.`)
  return home
}

export function statusCommand(terminal: Terminal): Command {
  return new Command('status')
    .description('every project of a home: its state, and who is being waited for')
    .argument('[project]', 'only this project')
    .option(...HOME_OPTION)
    .option('--json', 'as JSON')
    .action(async (only: string | undefined, options: { home: string; json?: boolean }) => {
      const { ports, close } = await openLocalPorts({ home: requireHome(options.home), env: process.env, publicUrl: '', onLog: () => {} })
      try {
        const projects = (await ports.projects.list()).filter((project) => only === undefined || project.project_id === only)
        if (only !== undefined && projects.length === 0) throw new WaybillError('NOT_FOUND', `There is no project ${only} in this home.`)
        const shown = await Promise.all(
          projects.map(async ({ artifacts: _, ...project }) => ({
            ...project,
            waiting_for: (await ports.approvals.byProject(project.project_id))
              .filter((request) => request.status === 'PENDING' && request.expires_at > ports.clock.now().toISOString())
              .map(({ role, approver, transition, expires_at }) => ({
                role,
                approver,
                transition: transition ?? 'open questions',
                expires_at,
              })),
          })),
        )
        if (options.json) terminal.out(JSON.stringify(shown, null, 2))
        else if (shown.length === 0) terminal.out('No projects yet. Start one: waybill run migration.yaml')
        else {
          terminal.out(
            columns([['project', 'state', 'since', 'title'], ...shown.map((p) => [p.project_id, p.state, p.updated_at, visible(p.title)])]),
          )
          for (const project of shown) {
            if (project.failure) terminal.out(`  ${project.project_id}: ${project.failure.code}: ${visible(project.failure.reason)}`)
            for (const wait of project.waiting_for)
              terminal.out(
                `  ${project.project_id} waits for ${wait.approver} (${wait.role}): ${wait.transition}, until ${wait.expires_at}`,
              )
          }
        }
      } finally {
        close()
      }
    })
}
