import { Command } from 'commander'
import { artifactOf } from '../../layers/core/artifacts.ts'
import { isWaybillError, WaybillError } from '../../layers/core/errors.ts'
import { trendOf } from '../../layers/core/nights/trend.ts'
import { withNotice } from '../../layers/core/report/since-notice.ts'
import { onRecords } from '../platform/open.ts'
import { type PlaceOptions, placeOptions } from '../platform/options.ts'
import type { Place } from '../platform/platform.ts'
import { endedExitCode, endedJson, endedProject, printEnded } from '../run/ended.ts'
import { printNights } from '../run/nights.ts'
import type { Terminal } from '../terminal.ts'

type Options = PlaceOptions & { out?: string; markdown?: boolean; json?: boolean }

async function onlyProject({ ports, name, flags }: Place): Promise<string> {
  const { records, unreadable } = await ports.projects.list()
  const [only, ...others] = [...records, ...unreadable]
  if (only === undefined) throw new WaybillError('NOT_FOUND', `There is no project yet in ${name}. waybill status${flags} lists them.`)
  if (others.length === 0) return only.project_id
  throw new WaybillError('BAD_INPUT', `There are ${others.length + 1} projects in ${name}. Say which; waybill status${flags} lists them.`)
}

export function reportCommand(terminal: Terminal): Command {
  const command = new Command('report')
    .description('what was measured and proven for a project, as it was recorded; with --out, its report and evidence pack')
    .argument('[project]', 'its id; not needed where there is only one')
  return placeOptions(command)
    .option('--out <dir>', 'write report.html, report.md, outcome.json, recon_report.json and the evidence pack there')
    .option('--markdown', 'print the whole report, as Markdown')
    .option('--json', 'as JSON')
    .addHelpText(
      'after',
      '\nExit codes: 0 proven and complete, and nothing else found since · 1 differs, rejected or rolled back · 2 not decided yet. The newest comparison decides.',
    )
    .action(async (asked: string | undefined, options: Options) => {
      await onRecords(options, async ({ ports, name, flags }) => {
        const project = await ports.projects.get(asked ?? (await onlyProject({ ports, name, flags }))).catch((error: unknown) => {
          if (!isWaybillError(error) || error.code !== 'NOT_FOUND') throw error
          throw new WaybillError('NOT_FOUND', `There is no project ${asked} in ${name}. waybill status${flags} lists them.`)
        })
        const ended = await endedProject(ports, project, options.out ?? null)
        process.exitCode = endedExitCode(ended)
        if (options.markdown) {
          const text = await ports.artifacts.get(artifactOf(project, 'report_md'))
          const { outcome, newest } = ended.figures
          const report = Buffer.from(text).toString('utf8')
          terminal.out((outcome === null ? report : withNotice('md', report, newest, outcome)).trimEnd())
        } else if (options.json) terminal.out(JSON.stringify({ ...endedJson(ended), trend: await trendOf(ports, project) }, null, 2))
        else {
          printEnded(terminal, ended)
          printNights(terminal, await trendOf(ports, project))
        }
      })
    })
}
