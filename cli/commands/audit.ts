import { Command } from 'commander'
import { openLocalPorts } from '../../functions/local.ts'
import { WaybillError } from '../../layers/core/errors.ts'
import type { Ports } from '../../layers/core/ports.ts'
import { keptAnchor, logsOf, reviewOf } from '../audit/log.ts'
import { explained, printLog, printReview } from '../audit/print.ts'
import { requireHome } from '../platform/embedded.ts'
import { HOME_OPTION } from '../platform/options.ts'
import { EXIT, type Terminal } from '../terminal.ts'

type Options = { home: string; json?: boolean }

export function auditCommand(terminal: Terminal): Command {
  const command = (name: string, description: string) =>
    new Command(name)
      .description(description)
      .argument('[project]', 'only this project')
      .option(...HOME_OPTION)
      .option('--json', 'as JSON')
  const show = command('show', 'every entry of the audit log: who did what, when, to what, and why')
    .option('--details', 'also what each entry is about, and its reasoning')
    .action(async (only: string | undefined, options: Options & { details?: boolean }) =>
      inHome(options, async (ports) => {
        const logs = await logsOf(ports, only)
        if (options.json)
          terminal.out(
            JSON.stringify(
              logs.map(({ project, entries }) => ({ project, entries: entries.map(explained) })),
              null,
              2,
            ),
          )
        else for (const log of logs) printLog(terminal, log, options.details === true)
      }),
    )
  const verify = command('verify', 'replay the audit log: every hash, every anchor, every move; says the first thing that is wrong')
    .option('--anchor <file...>', 'anchors kept elsewhere (*.dsse.json): an anchor removed from the home cannot be missed there')
    .action(async (only: string | undefined, options: Options & { anchor?: string[] }) =>
      inHome(options, async (ports) => {
        const kept = await Promise.all((options.anchor ?? []).map(keptAnchor))
        const logs = await logsOf(ports, only)
        if (kept.length > 0 && logs.length !== 1)
          throw new WaybillError('BAD_INPUT', 'An anchor is one project’s: name the project with --anchor.')
        const reviews = []
        for (const log of logs) reviews.push({ log, review: await reviewOf(ports, log, kept) })
        process.exitCode = reviews.every(({ review }) => review.faults.length === 0) ? EXIT.pass : EXIT.fail
        if (options.json)
          terminal.out(
            JSON.stringify(
              reviews.map(({ log, review }) => ({
                project: log.project,
                intact: review.faults.length === 0,
                entries: log.entries.length,
                ...review,
              })),
              null,
              2,
            ),
          )
        else for (const { log, review } of reviews) printReview(terminal, log, review)
      }),
    )
  return new Command('audit').description('read and verify the audit log of a home').addCommand(show).addCommand(verify)
}

async function inHome(options: Options, work: (ports: Ports) => Promise<void>): Promise<void> {
  const { ports, close } = await openLocalPorts({ home: requireHome(options.home), env: process.env, publicUrl: '', onLog: () => {} })
  try {
    await work(ports)
  } finally {
    close()
  }
}
