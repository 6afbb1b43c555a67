import { isWaybillError } from '../layers/core/errors.ts'
import { EXIT, type Terminal, visible } from './terminal.ts'

/** Prints one clear error and gives the exit code: unable to decide is 2, an interruption is 130. */
export function reportFailure(terminal: Terminal, error: unknown, json: boolean): number {
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

/** An abort signal for the first Ctrl-C or SIGTERM; a second one ends the process at once. */
export function interruption(terminal: Terminal): AbortSignal {
  const controller = new AbortController()
  const stop = (signal: NodeJS.Signals) => {
    if (controller.signal.aborted) process.exit(EXIT.interrupted)
    terminal.err(`${signal}: stopping cleanly; press Ctrl-C again to stop at once`)
    controller.abort()
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  return controller.signal
}
