import { Command, Option } from 'commander'
import { openLocalPorts } from '../../functions/local.ts'
import { askForWaiver, giveWaiver } from '../../functions/work/waiving.ts'
import { getJson } from '../../layers/core/artifacts.ts'
import { WaybillError } from '../../layers/core/errors.ts'
import type { Ports } from '../../layers/core/ports.ts'
import { policy as policySchema } from '../../layers/core/schemas/policy.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'
import { requireHome } from '../platform/embedded.ts'
import { onRecords } from '../platform/open.ts'
import { type PlaceOptions, placeOptions } from '../platform/options.ts'
import { type Terminal, visible } from '../terminal.ts'
import { type ListedFinding, listedFindings } from '../waive/listed.ts'
import { nextWords, printFindings } from '../waive/words.ts'

type Options = PlaceOptions & { reason?: string; days: string; confirm?: string; code?: string; json?: boolean }

export function waiveCommand(terminal: Terminal): Command {
  const command = new Command('waive')
    .description('list the findings that keep a plan from being signed, ask for one to be waived, or waive it with the code from the mail')
    .argument('<project>')
    .argument('[finding]', 'ask the person whom policy and spec name to take responsibility for this one')
  return placeOptions(command)
    .addOption(new Option('--reason <text>', 'why it may be waived; kept in the evidence').conflicts(['aws']))
    .addOption(
      new Option('--days <number>', 'how long the waiver counts; nothing is executed under the plan after that')
        .default('7')
        .conflicts(['aws']),
    )
    .addOption(new Option('--confirm <waiver>', 'sign the waiver that you were asked for by mail').conflicts(['aws']))
    .addOption(new Option('--code <code>', 'the code from that mail').conflicts(['aws']))
    .option('--json', 'as JSON')
    .addHelpText(
      'after',
      '\nA waiver excuses one finding of one plan. The plan still needs all its approvals, and approvers see who waived what and why.\nWith --aws only what was found, and whom the link was mailed to: there a finding is waived on the page of that link.',
    )
    .action(async (projectId: string, findingId: string | undefined, options: Options) => {
      if (options.aws === true) return inAccount(terminal, projectId, findingId, options)
      const { ports, close } = await openLocalPorts({ home: requireHome(options.home), env: process.env, publicUrl: '', onLog: () => {} })
      try {
        const project = await ports.projects.get(projectId)
        if (options.confirm !== undefined) await confirm(ports, terminal, project, options)
        else if (findingId === undefined) shown(terminal, project, await listedFindings(ports, project), options)
        else await ask(ports, terminal, project, findingId, options)
      } finally {
        close()
      }
    })
}

/** Whoever sits at a terminal is not the person asked: the page behind the mailed link knows that person, and signs there. */
async function inAccount(terminal: Terminal, projectId: string, findingId: string | undefined, options: Options): Promise<void> {
  if (findingId !== undefined)
    throw new WaybillError(
      'BAD_INPUT',
      `In an account a finding is waived on the page whose link is mailed to the person whom policy and spec name. See who that is: waybill waive --aws ${projectId}`,
    )
  await onRecords(options, async ({ ports, flags }) => {
    const project = await ports.projects.get(projectId)
    const kept = project.artifacts.policy
    if (kept === undefined) throw new WaybillError('NOT_FOUND', `There is no plan of ${projectId} yet.`)
    const policy = await getJson(ports.artifacts, kept, policySchema)
    const open = await listedFindings({ ...ports, policy }, project)
    shown(terminal, project, open, options)
    const next = options.json ? null : nextWords(project, open, flags)
    if (next !== null) terminal.out(next)
  })
}

function shown(terminal: Terminal, project: ProjectRecord, open: readonly ListedFinding[], { json }: Options): void {
  if (json) terminal.out(JSON.stringify(open, null, 2))
  else printFindings(terminal, project, open)
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
