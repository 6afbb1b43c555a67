import { CommanderError } from 'commander'
import { WaybillError } from '../layers/core/errors.ts'
import { reportFailure, watchLauncher, watchReaders } from './failure.ts'
import { refuseAccountHere } from './platform/here-only.ts'
import { programOf } from './program.ts'
import { EXIT, openTerminal } from './terminal.ts'

const terminal = openTerminal()
const readerGone = watchReaders()
watchLauncher(terminal)
const program = programOf(terminal)

try {
  refuseAccountHere(program, process.argv.slice(2))
  await program.parseAsync()
} catch (error) {
  const json = process.argv.includes('--json')
  if (!(error instanceof CommanderError)) process.exitCode = reportFailure(terminal, error, json)
  else if (error.exitCode === 0) process.exitCode = EXIT.pass
  // Commander has said it in words on standard error.
  else process.exitCode = json ? reportFailure(terminal, new WaybillError('BAD_INPUT', error.message), true) : EXIT.undecided
}
if (readerGone()) process.exitCode = EXIT.interrupted
