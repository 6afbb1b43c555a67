import { deniedAt } from '../layers/core/denied.ts'
import { isWaybillError } from '../layers/core/errors.ts'
import { EXIT, type Terminal, visible } from './terminal.ts'

/** Prints one clear error and gives the exit code: unable to decide is 2, an interruption is 130. */
export function reportFailure(terminal: Terminal, thrown: unknown, json: boolean): number {
  const error = deniedAt(thrown)
  const code = isWaybillError(error) ? error.code : 'UNEXPECTED'
  const message = error instanceof Error ? error.message : String(error)
  const details = isWaybillError(error) ? error.details : []
  if (json) terminal.out(JSON.stringify({ error: { code, message, details } }, null, 2))
  else {
    terminal.err(`${terminal.paint('red', 'error')} ${code}: ${message.split('\n').map(visible).join('\n')}`)
    for (const detail of details) terminal.err(`  · ${visible(detail)}`)
    if (code === 'UNEXPECTED') {
      terminal.err(
        '  This is a fault in Waybill, not in your input. Nothing was marked as done. Run again with WAYBILL_TRACE=1 for the stack.',
      )
      if (process.env.WAYBILL_TRACE === '1' && error instanceof Error) terminal.err(error.stack ?? '')
    }
  }
  return code === 'INTERRUPTED' ? EXIT.interrupted : EXIT.undecided
}

const interruptible = new Set<AbortController>()

/**
 * A reader that went away (`waybill … | head`) interrupts the command as Ctrl-C does: what it started is stopped, nothing is written any more.
 * @returns whether that happened
 */
export function watchReaders(streams: readonly NodeJS.WriteStream[] = [process.stdout, process.stderr]): () => boolean {
  let gone = false
  for (const stream of streams) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error
      gone = true
      // The answer may be on its way already: nobody read it, so no exit code may say what it said.
      process.exitCode = EXIT.interrupted
      if (interruptible.size === 0) process.exit(EXIT.interrupted)
      for (const controller of interruptible) controller.abort()
    })
  }
  return () => gone
}

/** Between two looks whether the launcher is still there. */
const LOOK_MS = 500

/**
 * Stops the command as Ctrl-C does once the launcher that started it is gone, however it went: nobody watches a copy that goes on without it.
 * Says so to nobody but the command itself; not started by one (`WAYBILL_LAUNCHER`), nothing is watched.
 */
export function watchLauncher(terminal: Terminal, env: NodeJS.ProcessEnv = process.env): void {
  const launcher = Number(env.WAYBILL_LAUNCHER)
  // What this command starts has another parent.
  delete env.WAYBILL_LAUNCHER
  if (!Number.isInteger(launcher) || launcher <= 0) return
  const timer = setInterval(() => {
    if (process.ppid === launcher) return
    clearInterval(timer)
    process.exitCode = EXIT.interrupted
    if (interruptible.size === 0) process.exit(EXIT.interrupted)
    terminal.err('The process that started this command is gone: stopping cleanly; waybill resume goes on from here')
    for (const controller of interruptible) controller.abort()
  }, LOOK_MS)
  timer.unref()
}

/** An abort signal for the first Ctrl-C or SIGTERM, or a reader that went away; a second Ctrl-C ends the process at once. */
export function interruption(terminal: Terminal, meaning = 'stopping cleanly'): AbortSignal {
  const controller = new AbortController()
  interruptible.add(controller)
  const stop = (signal: NodeJS.Signals) => {
    if (controller.signal.aborted) process.exit(EXIT.interrupted)
    terminal.err(`${signal}: ${meaning}; press Ctrl-C again to stop at once`)
    controller.abort()
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  return controller.signal
}
