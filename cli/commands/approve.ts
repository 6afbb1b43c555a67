import { spawn } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Command, Option } from 'commander'
import { openLocalPorts, withdrawPlan } from '../../functions/local.ts'
import { WaybillError } from '../../layers/core/errors.ts'
import { linkIn } from '../mail.ts'
import { requireHome } from '../platform/embedded.ts'
import { onRecords } from '../platform/open.ts'
import { type PlaceOptions, placeOptions } from '../platform/options.ts'
import { columns, type Terminal } from '../terminal.ts'

/** The newest link mailed for each open request, from a home's outbox. An account has none here: links leave it by mail alone. */
async function linksOf(options: PlaceOptions): Promise<Map<string, string>> {
  const links = new Map<string, string>()
  if (options.aws === true) return links
  const outbox = join(options.home, 'outbox')
  for (const name of (await readdir(outbox)).filter((file) => file.endsWith('.eml')).sort()) {
    const link = linkIn(await readFile(join(outbox, name), 'utf8'))
    const id = link?.match(/\/approvals\/([^?/]+)/)?.[1]
    if (link && id) links.set(id, link)
  }
  return links
}

type Options = PlaceOptions & { open?: boolean; withdraw?: string; reason?: string; json?: boolean }

/** Signs the withdrawal, and tells whoever waits. Who may is who holds the home: the embedded platform knows no better. */
async function withdrawProject(terminal: Terminal, options: Options): Promise<void> {
  const home = requireHome(options.home)
  const reason = options.reason?.trim() ?? ''
  if (options.withdraw === undefined || reason === '' || reason.length > 2000)
    throw new WaybillError('BAD_INPUT', 'Say why the plan is withdrawn: --reason "…", at most 2,000 characters.')
  const { ports, close } = await openLocalPorts({ home, env: process.env, publicUrl: '', onLog: () => {} })
  try {
    const { transition } = await withdrawPlan(ports, options.withdraw, reason)
    if (options.json) terminal.out(JSON.stringify({ project_id: options.withdraw, withdrawn: true, transition }, null, 2))
    else terminal.out(`The plan of ${options.withdraw} is withdrawn: nothing can be carried out under it any more.`)
  } finally {
    close()
  }
}

export function approveCommand(terminal: Terminal): Command {
  const command = new Command('approve')
    .description("print the links of open approvals, or open one person's; the decision itself is made on the page")
    .argument('[email]', 'only what waits for this person')
  return placeOptions(command)
    .addOption(new Option('--open', 'open the first one in the browser').conflicts(['aws']))
    .addOption(new Option('--withdraw <project>', 'withdraw a plan, as its author, before it is carried out').conflicts(['aws']))
    .option('--reason <text>', 'why it is withdrawn; kept in the evidence')
    .option('--json', 'as JSON')
    .addHelpText(
      'after',
      '\nThe pages are served while "waybill run" or "waybill resume" is running.\nWith --aws only who is waited for, and where the mail went: a link is proof of a mailbox, so nobody else can print it.',
    )
    .action(async (email: string | undefined, options: Options) => {
      if (options.withdraw !== undefined) return withdrawProject(terminal, options)
      await onRecords(options, async ({ ports }) => {
        const links = await linksOf(options)
        const { records, unreadable } = await ports.projects.list()
        const requests = (
          await Promise.all([...records, ...unreadable].map(({ project_id }) => ports.approvals.byProject(project_id)))
        ).flat()
        const open = requests
          .filter(
            (request) => request.status === 'PENDING' && (email === undefined || request.approver.toLowerCase() === email.toLowerCase()),
          )
          .map(({ approval_id, project_id, role, approver, transition, expires_at }) => ({
            project_id,
            role,
            approver,
            transition: transition ?? 'open questions',
            expires_at,
            link: links.get(approval_id) ?? null,
          }))
        if (options.json) terminal.out(JSON.stringify(open, null, 2))
        else if (open.length === 0) terminal.out('Nothing waits for a decision.')
        else
          terminal.out(
            columns(
              open.map((one) => [
                one.project_id,
                one.approver,
                one.role,
                one.transition,
                one.link ?? `mailed to ${one.approver}; open until ${one.expires_at}`,
              ]),
            ),
          )
        const first = open[0]?.link
        if (options.open && first)
          spawn(process.platform === 'darwin' ? 'open' : 'xdg-open', [first], { stdio: 'ignore', detached: true }).unref()
      })
    })
}
