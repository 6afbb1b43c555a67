import { readFileSync } from 'node:fs'
import { Command, InvalidArgumentError } from 'commander'
import { connectors } from '../../layers/connectors/index.ts'
import { type CompareConfig, readCompareConfig } from '../../layers/core/comparison-request/config.ts'
import { WaybillError } from '../../layers/core/errors.ts'
import { maskedResult, maskOfThisRun, raw } from '../compare/masking.ts'
import { CompareOutputs } from '../compare/outputs.ts'
import { estimateLine, printComparison, problemLines } from '../compare/print.ts'
import { CompareProgress } from '../compare/progress.ts'
import { type CompareFlags, readRequest } from '../compare/request.ts'
import { compare, nameOf } from '../compare/run.ts'
import { SIDE_FORMS } from '../compare/side.ts'
import type { StateFile } from '../compare/state-file.ts'
import { interruption } from '../failure.ts'
import { EXIT, seconds, type Terminal, visible } from '../terminal.ts'

const EXIT_OF = { pass: EXIT.pass, fail: EXIT.fail, inconclusive: EXIT.undecided, 'not-applicable': EXIT.undecided }

/** A comparison expected to take longer than this begins with its estimate. */
const LONG_SECONDS = 5

/** A whole number up to the bound that the configuration file has as well. */
function upTo(most: number, least = 1): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (!Number.isSafeInteger(value) || value < least || value > most)
      throw new InvalidArgumentError(`It takes a whole number from ${least} to ${most.toLocaleString('en')}.`)
    return value
  }
}

const collect = (value: string, previous: string[]) => [...previous, value]

function readConfig(path: string | undefined): CompareConfig {
  if (path === undefined) return {}
  let bytes: Uint8Array
  try {
    bytes = readFileSync(path)
  } catch (error) {
    throw new WaybillError('NOT_FOUND', `--config: ${path} cannot be read (${(error as NodeJS.ErrnoException).code}).`)
  }
  return readCompareConfig(bytes)
}

const HELP = `
A side is one of: ${SIDE_FORMS}.
What a connection string leaves out comes from PGHOST, PGPORT, PGDATABASE, PGUSER, PGPASSWORD, PGSSLMODE and ~/.pgpass, as with psql.
sslmode (in the string or PGSSLMODE): disable, allow, prefer (default), require, verify-ca, verify-full; only the last two prove who answers.

Exit codes: 0 equal · 1 different · 2 not able to decide, or wrong input · 130 interrupted

The first Ctrl-C stops the servers' work and prints what is known by then; with --state FILE the same command goes on from there. A second one ends
at once. A statement that takes longer than --timeout, or a server that stays away, leaves its table undecided: exit code 2.

Examples:
  waybill compare postgresql://me@old/db postgresql://me@new/db
  waybill compare old new --table public.orders --differences orders.jsonl --html orders.html
  waybill compare parquet:export/orders.parquet postgresql://me@new/db --table public.orders`

export function compareCommand(terminal: Terminal): Command {
  return new Command('compare')
    .configureHelp({ optionDescription: ({ description }) => description })
    .description('compare two live databases, or files with a database, row by row; nothing is written to either side')
    .argument('[source]', 'what should be there')
    .argument('[target]', 'what is there')
    .option('--config <file>', 'YAML with the same options; options given here win')
    .option('-t, --table <name>', 'schema.name, or schema.name=other.name; may be given often; default: every table', collect, [])
    .option('--include <glob>', 'tables to compare, such as sales.*; may be given often', collect, [])
    .option('--exclude <glob>', 'tables to leave out; may be given often', collect, [])
    .option('-k, --key <columns>', 'columns that identify a row, comma-separated; default: the declared key, else whole rows as a multiset')
    .option('--exclude-columns <columns>', 'columns to leave out, comma-separated')
    .option('--order-key <column>', 'also compare the sequence of this column')
    .option(
      '--where <condition>',
      'only rows where COL=VALUE (also != < <= > >=, in A,B, is null, is not null); may be given often',
      collect,
      [],
    )
    .option('--tenant <condition>', 'only rows of one tenant, COL=VALUE')
    .option(
      '--tolerance <column=tolerance>',
      'columns that may be apart: amount=0.01, rate=0.1%, seen_at=1ms; may be given often; needs a key',
      collect,
      [],
    )
    .option('--schema-only', 'compare how tables are declared; read no rows')
    .option('--aggregates-only', 'compare counts, sums, NULLs, smallest and largest values; can show a difference, never equality')
    .option(
      '--sample <rows>',
      'about so many rows of each table, chosen by key; can show a difference, never equality',
      upTo(1_000_000_000),
    )
    .option('--seed <text>', 'which sample')
    .option('--connections <n>', 'connections on each side (2)', upTo(16))
    .option('--timeout <seconds>', 'longest time one statement may take (3600)', upTo(604_800))
    .option('--retries <n>', 'begin a table again so often when a connection is lost, each time under a new snapshot (3)', upTo(100, 0))
    .option('--max-rows-per-second <n>', 'read no faster than this on each side', upTo(1_000_000_000))
    .option(
      '--pause-above <ms>',
      'wait while the source takes longer than this to answer a small question; uses one connection',
      upTo(600_000),
    )
    .option(
      '--live <seconds>',
      'for tables written to meanwhile: read differing rows again until they settle, at most so long',
      upTo(86_400),
    )
    .option('--estimate', 'print tables, rows, bytes and time, and compare nothing')
    .option('--differences <file>', 'every difference, as .jsonl or .parquet')
    .option('--repair-sql <file>', 'statements that would make the target equal; never executed; needs --show-values')
    .option('--junit <file>', 'a test case for each table, for CI')
    .option('--html <file>', 'a page with the summary, where differences lie, and the first of them')
    .option('--state <file>', 'remember tables and segments found equal, to go on after Ctrl-C, kill -9 or a lost connection')
    .option('--show-values', 'values as they are in files and --json; without it they are masked there')
    .option('--mask', 'mask values on the terminal too')
    .option('--verbose', 'a line for each equal table, however many')
    .option('--json', 'the whole result as JSON')
    .addHelpText('after', HELP)
    .action(async (source: string | undefined, target: string | undefined, flags: CompareFlags & { config?: string }) => {
      const request = readRequest([source, target], flags, readConfig(flags.config), process.env)
      const started = performance.now()
      const mask = request.showValues ? raw : maskOfThisRun()
      const outputs = request.estimateOnly ? null : new CompareOutputs(request, mask)
      const progress = new CompareProgress(terminal)
      const connector = { connectTimeoutMs: 15_000, statementTimeoutMs: request.timeoutMs, signal: interruption(terminal) }
      try {
        const comparison = await compare(connectors, request, connector, {
          onEstimate: (estimate, items, settled) => {
            progress.start(items, settled)
            if (!request.estimateOnly && (estimate.seconds ?? Number.POSITIVE_INFINITY) >= LONG_SECONDS) {
              terminal.err(`estimate: ${estimateLine(estimate)}`)
            }
          },
          onProgress: (item, rows) => progress.rows(item, rows),
          onMismatch: (item, mismatch) => outputs?.mismatch(item, mismatch),
          onResult: (item, result) => {
            progress.finished(item, BigInt(result.source_rows))
            outputs?.result(item, result)
          },
          onRetry: (item, { attempt, of, waitMs, reason }) =>
            terminal.err(
              `${visible(nameOf(item.pair.target))}: ${visible(reason)} Begun again in ${seconds(waitMs)}, under a new snapshot (${attempt} of ${of}).`,
            ),
          onPause: (paused, milliseconds) =>
            terminal.err(
              paused
                ? `paused: the source took ${milliseconds} ms or more to answer (--pause-above ${request.throttle.pauseAboveMs})`
                : `going on: the source answers in ${milliseconds} ms`,
            ),
          onSettling: (item, keys) => progress.settling(item, keys),
          segments: outputs?.state ?? null,
          earlier: (item) => outputs?.state?.earlier(item) ?? null,
        })
        terminal.endProgress()
        if (outputs === null) {
          const { estimate, problems } = comparison
          if (request.json) terminal.out(JSON.stringify({ ...estimate, problems }, null, 2))
          else {
            terminal.out(estimateLine(estimate))
            if (estimate.reason !== null) terminal.out(estimate.reason)
            for (const line of problemLines(problems, request.verbose)) terminal.out(line)
          }
          return
        }
        const { masked, notes } = await outputs.finish(comparison)
        process.exitCode = comparison.interrupted ? EXIT.interrupted : EXIT_OF[comparison.verdict]
        if (request.json) terminal.out(JSON.stringify(masked, null, 2))
        else {
          const shown = request.mask ? { ...comparison, tables: comparison.tables.map((table) => maskedResult(table, mask)) } : comparison
          printComparison(terminal, shown, { verbose: request.verbose })
        }
        for (const note of notes) terminal.err(note)
        if (comparison.interrupted)
          terminal.err(resumeWords(outputs.state, `Interrupted after ${comparison.tables.length} of ${comparison.estimate.tables} tables.`))
        else {
          terminal.err(seconds(performance.now() - started))
          if (comparison.verdict === 'inconclusive' && outputs.state !== null) terminal.err(resumeWords(outputs.state, 'Not finished.'))
        }
      } catch (error) {
        terminal.endProgress()
        outputs?.abandon()
        throw error
      }
    })
}

function resumeWords(state: StateFile | null, so: string): string {
  if (state === null) return `${so} With --state FILE the next run could go on where this one was stopped.`
  const { tables, segments } = state
  const found = [
    ...(tables > 0 ? [`${tables} equal tables`] : []),
    ...(segments > 0 ? [`${segments} equal segments of unfinished tables`] : []),
  ]
  const known = found.length === 0 ? 'nothing was finished yet' : `${found.join(' and ')} are not compared again`
  return `${so} The same command goes on from ${state.path}: ${known}.`
}
