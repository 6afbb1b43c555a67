import { Command, InvalidArgumentError } from 'commander'
import { connectors } from '../../layers/connectors/index.ts'
import { WaybillError } from '../../layers/core/errors.ts'
import { printComparison } from '../compare/print.ts'
import { compare, type Side } from '../compare/run.ts'
import { interruption } from '../failure.ts'
import { EXIT, grouped, seconds, type Terminal } from '../terminal.ts'

type Options = {
  table: string[]
  include: string[]
  exclude: string[]
  key?: string
  excludeColumns?: string
  orderKey?: string
  connections: number
  timeout: number
  showValues?: boolean
  mask?: boolean
  json?: boolean
}

const EXIT_OF = { pass: EXIT.pass, fail: EXIT.fail, inconclusive: EXIT.undecided, 'not-applicable': EXIT.undecided }

function sideOf(text: string): Side {
  if (/^postgres(ql)?:\/\//.test(text)) return { systemType: 'POSTGRESQL', url: text }
  throw new WaybillError('BAD_INPUT', 'A side is a PostgreSQL connection string such as postgresql://user@host:5432/database.')
}

function whole(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('a whole number from 1')
  return value
}

const list = (text: string | undefined) =>
  text
    ?.split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
const collect = (value: string, previous: string[]) => [...previous, value]

export function compareCommand(terminal: Terminal): Command {
  return new Command('compare')
    .description('compare two live databases row by row; nothing is written anywhere')
    .argument('<source>', 'PostgreSQL connection string')
    .argument('<target>', 'PostgreSQL connection string')
    .option('-t, --table <name>', 'schema.name, or schema.name=other.name; may be given often; default: every table', collect, [])
    .option('--include <glob>', 'tables to compare, such as sales.*; may be given often', collect, [])
    .option('--exclude <glob>', 'tables to leave out; may be given often', collect, [])
    .option('-k, --key <columns>', 'columns that identify a row, comma-separated; default: the declared key, else whole rows as a multiset')
    .option('--exclude-columns <columns>', 'columns to leave out, comma-separated')
    .option('--order-key <column>', 'also compare the sequence of this column')
    .option('--connections <n>', 'connections on each side', whole, 2)
    .option('--timeout <seconds>', 'longest time one statement may take', whole, 3600)
    .option('--show-values', 'values in --json output as they are; without it they are masked there')
    .option('--mask', 'mask values on the terminal too')
    .option('--json', 'the whole result as JSON')
    .addHelpText(
      'after',
      '\nExit codes: 0 equal · 1 different · 2 not able to decide\n\nExample:\n  waybill compare postgresql://me@old/db postgresql://me@new/db --table public.orders',
    )
    .action(async (source: string, target: string, options: Options) => {
      const masked = options.mask === true || (options.json === true && options.showValues !== true)
      const started = performance.now()
      const counts = new Map<string, bigint>()
      let total = 0
      const comparison = await compare(connectors, {
        source: sideOf(source),
        target: sideOf(target),
        tables: options.table,
        include: options.include,
        exclude: options.exclude,
        comparison: { key: list(options.key), excludeColumns: list(options.excludeColumns), orderKey: options.orderKey },
        connections: options.connections,
        mask: masked ? (value) => (value === null ? null : '•••') : (value) => value,
        connector: { connectTimeoutMs: 15_000, statementTimeoutMs: options.timeout * 1000, signal: interruption(terminal) },
        onTables: (count) => {
          total = count
        },
        onProgress: (table, rows) => {
          counts.set(table, rows)
          const all = [...counts.values()].reduce((a, b) => a + b, 0n)
          const elapsed = performance.now() - started
          terminal.progress(
            `comparing ${counts.size} of ${total} tables · ${grouped(all)} rows · ${grouped(Math.round((Number(all) / elapsed) * 1000))} rows/s · ${seconds(elapsed)}`,
          )
        },
      })
      terminal.endProgress()
      process.exitCode = EXIT_OF[comparison.verdict]
      if (options.json) terminal.out(JSON.stringify(comparison, null, 2))
      else {
        printComparison(terminal, comparison)
        terminal.err(`${seconds(performance.now() - started)}`)
      }
    })
}
