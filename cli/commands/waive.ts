import { Command } from 'commander'
import { openLocalPorts } from '../../functions/local.ts'
import { askForWaiver, giveWaiver, openFindings } from '../../functions/work/waiving.ts'
import { WaybillError } from '../../layers/core/errors.ts'
import type { Ports } from '../../layers/core/ports.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'
import { requireHome } from '../platform/embedded.ts'
import { HOME_OPTION } from '../platform/options.ts'
import { type Terminal, visible } from '../terminal.ts'

type Options = { home: string; reason?: string; days: string; confirm?: string; code?: string; json?: boolean }

export function waiveCommand(terminal: Terminal): Command {
  return new Command('waive')
    .description('list the findings that keep a plan from being signed, ask for one to be waived, or waive it with the code from the mail')
    .argument('<project>')
    .argument('[finding]', 'ask the person whom policy and spec name to take responsibility for this one')
    .option(...HOME_OPTION)
    .option('--reason <text>', 'why it may be waived; kept in the evidence')
    .option('--days <number>', 'how long the waiver counts; nothing is executed under the plan after that', '7')
    .option('--confirm <waiver>', 'sign the waiver that you were asked for by mail')
    .option('--code <code>', 'the code from that mail')
    .option('--json', 'as JSON')
    .addHelpText(
      'after',
      '\nA waiver excuses one finding of one plan. The plan still needs all its approvals, and approvers see who waived what and why.',
    )
    .action(async (projectId: string, findingId: string | undefined, options: Options) => {
      const { ports, close } = await openLocalPorts({ home: requireHome(options.home), env: process.env, publicUrl: '', onLog: () => {} })
      try {
        const project = await ports.projects.get(projectId)
        if (options.confirm !== undefined) await confirm(ports, terminal, project, options)
        else if (findingId === undefined) await list(ports, terminal, project, options)
        else await ask(ports, terminal, project, findingId, options)
      } finally {
        close()
      }
    })
}

async function list(ports: Ports, terminal: Terminal, project: ProjectRecord, { json }: Options): Promise<void> {
  const open = await openFindings(ports, project)
  if (json) terminal.out(JSON.stringify(open, null, 2))
  else if (open.length === 0) terminal.out('No finding keeps this plan from being signed.')
  for (const { finding_id, finding, barred } of json ? [] : open) {
    terminal.out(`${finding_id}  ${finding.severity}  ${finding.rule_id}  ${visible(finding.where)}`)
    terminal.out(`  ${visible(finding.what)}`)
    terminal.out(`  What helps: ${visible(finding.remedy)}`)
    terminal.out(barred === null ? '  It may be waived.' : `  It cannot be waived: ${visible(barred)}.`)
  }
}

async function ask(ports: Ports, terminal: Terminal, project: ProjectRecord, findingId: string, options: Options): Promise<void> {
  const reason = options.reason?.trim() ?? ''
  if (reason === '' || reason.length > 2000)
    throw new WaybillError('BAD_INPUT', 'Say why it may be waived: --reason "…", at most 2,000 characters.')
  if (!/^[1-9][0-9]{0,2}$/.test(options.days)) throw new WaybillError('BAD_INPUT', 'Give --days as a whole number of days, such as 7.')
  const request = await askForWaiver(ports, project, { findingId, reason, days: Number(options.days) })
  if (options.json)
    terminal.out(
      JSON.stringify({ asked: request.approver, role: request.role, waiver_id: request.waiver_id, until: request.expires_at }, null, 2),
    )
  else terminal.out(`Asked ${visible(request.approver)} as ${request.role}. Nothing is waived until the code from that mail is given.`)
}

async function confirm(ports: Ports, terminal: Terminal, project: ProjectRecord, options: Options): Promise<void> {
  const waiver = await giveWaiver(ports, project, options.confirm ?? '', options.code ?? '')
  if (options.json)
    terminal.out(
      JSON.stringify({ waived: true, waiver_id: waiver.waiver_id, finding_id: waiver.finding_id, until: waiver.expires_at }, null, 2),
    )
  else
    terminal.out(
      `Waived in the name of ${visible(waiver.approver)} until ${waiver.expires_at}. Go on with: waybill resume --home ${visible(options.home)}`,
    )
}
