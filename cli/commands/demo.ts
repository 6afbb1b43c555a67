import { Command, InvalidArgumentError } from 'commander'
import { WaybillError } from '../../layers/core/errors.ts'
import { newDemo } from '../demo/demo.ts'
import { readDemo } from '../demo/folder.ts'
import { stopServer } from '../demo/postgres-server.ts'
import { interruption } from '../failure.ts'
import type { Terminal } from '../terminal.ts'

type Options = {
  out: string
  rows?: number
  corrupt: number
  interactive?: boolean
  fresh?: boolean
  keepRunning?: boolean
  stop?: boolean
  json?: boolean
}

const ALL_ROWS = 3_000_000

const wholeUpTo = (limit: number) => (text: string) => {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 0 || value > limit) throw new InvalidArgumentError(`a whole number from 0 to ${limit}`)
  return value
}

async function stopDemo(out: string): Promise<void> {
  const state = await readDemo(out)
  if (state === null) throw new WaybillError('NOT_FOUND', `There is no demo in ${out}.`)
  await stopServer(state.server)
}

export function demoCommand(terminal: Terminal): Command {
  return new Command('demo')
    .description('migrate three million real flights between two PostgreSQL databases of its own, prove it, seal the evidence')
    .option('--out <dir>', 'where everything is written', 'out')
    .option('--rows <n>', 'how many flights; default: all 3,000,000', wholeUpTo(ALL_ROWS))
    .option('--corrupt <n>', 'after the copy, change, delete or duplicate this many rows of the target', wholeUpTo(1000), 0)
    .option('--interactive', 'you approve, in your browser')
    .option('--fresh', 'start over in a folder whose demo did not finish')
    .option('--keep-running', 'leave the two databases running')
    .option('--stop', 'only stop the databases of the demo in --out')
    .option('--json', 'the result as JSON')
    .addHelpText(
      'after',
      '\nExit codes: 0 proven · 1 not proven, rolled back · 2 not able to decide\n\nExample:\n  npm run demo -- --rows 200000 --corrupt 7 --out out-corrupt',
    )
    .action(async (options: Options) => {
      if (options.stop) return stopDemo(options.out)
      const rows = options.rows === undefined || options.rows === ALL_ROWS ? null : options.rows
      process.exitCode = await newDemo(
        terminal,
        {
          out: options.out,
          rows,
          corrupt: options.corrupt,
          interactive: options.interactive === true,
          fresh: options.fresh === true,
          keepRunning: options.keepRunning === true,
          json: options.json === true,
        },
        interruption(terminal),
      )
    })
}
