/**
 * Runs the machine of `story.ts` in a home and is killed before the n-th commit of the interpreter: `run-machine.ts HOME CALLS N`. Prints the
 * number of commits when it was not.
 */
import { DatabaseSync } from 'node:sqlite'

const [folder = '', calls = '', point = '0'] = process.argv.slice(2)
let commits = 0
const exec = DatabaseSync.prototype.exec
DatabaseSync.prototype.exec = function (this: DatabaseSync, sql: string) {
  if (sql === 'COMMIT' && ++commits === Number(point)) process.kill(process.pid, 'SIGKILL')
  return exec.call(this, sql)
}
const { tell } = await import('./story.ts')
const ended = await tell(folder, calls, 'start')
process.stdout.write(`${JSON.stringify({ commits, ended })}\n`)
