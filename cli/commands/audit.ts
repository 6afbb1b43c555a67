import { Command } from 'commander'
import { WaybillError } from '../../layers/core/errors.ts'
import { keptAnchor, logsOf, reviewOf } from '../audit/log.ts'
import { explained, printLog, printReview } from '../audit/print.ts'
import { onRecords } from '../platform/open.ts'
import { type PlaceOptions, placeOptions } from '../platform/options.ts'
import { EXIT, type Terminal } from '../terminal.ts'

type Options = PlaceOptions & { json?: boolean }

const OWN_KEYS =
  "Anchors are checked with this account's own keys. That is no independent witness: give anchors that you keep elsewhere with --anchor, or verify a pack under pinned keys."

export function auditCommand(terminal: Terminal): Command {
  const command = (name: string, description: string) =>
    placeOptions(new Command(name).description(description).argument('[project]', 'only this project')).option('--json', 'as JSON')
  const show = command('show', 'every entry of the audit log: who did what, when, to what, and why')
    .option('--details', 'also what each entry is about, and its reasoning')
    .action(async (only: string | undefined, options: Options & { details?: boolean }) =>
      onRecords(options, async (records) => {
        const logs = await logsOf(records, only)
        if (logs.some(({ fault, record }) => fault !== null || record !== null)) process.exitCode = EXIT.undecided
        if (options.json)
          terminal.out(
            JSON.stringify(
              logs.map(({ project, entries, fault, record }) => ({
                project,
                entries: entries.map(explained),
                faults: [fault, record].filter((said) => said !== null),
              })),
              null,
              2,
            ),
          )
        else for (const log of logs) printLog(terminal, log, options.details === true)
      }),
    )
  const verify = command('verify', 'replay the audit log: every hash, every anchor, every move; says the first thing that is wrong')
    .option('--anchor <file...>', 'anchors kept elsewhere (*.dsse.json): an anchor removed from here cannot be missed there')
    .action(async (only: string | undefined, options: Options & { anchor?: string[] }) =>
      onRecords(options, async (records) => {
        const kept = await Promise.all((options.anchor ?? []).map(keptAnchor))
        const logs = await logsOf(records, only)
        if (kept.length > 0 && logs.length !== 1)
          throw new WaybillError('BAD_INPUT', 'An anchor is one project’s: name the project with --anchor.')
        const trust = await records.trust()
        if (options.aws === true && !options.json) terminal.err(OWN_KEYS)
        const reviews = []
        for (const log of logs) reviews.push({ log, review: await reviewOf(records, log, { trust, kept }) })
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
  return new Command('audit').description('read and verify the audit log of a home or an account').addCommand(show).addCommand(verify)
}
