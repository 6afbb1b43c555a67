import { CommanderError } from 'commander'
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
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? EXIT.pass : EXIT.undecided
  else process.exitCode = reportFailure(terminal, error, process.argv.includes('--json'))
}
if (readerGone()) process.exitCode = EXIT.interrupted
