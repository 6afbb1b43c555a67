/** A worker as a child process: one task from WAYBILL_TASK, then exit 0, or exit 1 with `{"error","cause"}` as the last line of stderr. */
import { isWaybillError, wholeMessage } from '../layers/core/errors.ts'
import { fullDisk } from '../layers/core/full-disk.ts'
import type { Ports } from '../layers/core/ports.ts'
import { type WorkerTask, workerTask } from '../layers/core/schemas/work.ts'
import { openLocalPorts } from './local.ts'
import { recordingRefusal } from './work/refusal.ts'
import type { WorkContext } from './work/working.ts'

type WorkerHandler = (task: WorkerTask, context: WorkContext) => Promise<void>

const stopped = new AbortController()
process.once('SIGTERM', () => stopped.abort())
process.once('SIGINT', () => stopped.abort())

try {
  const { WAYBILL_TASK, WAYBILL_HOME, WAYBILL_PUBLIC_URL, ...env } = process.env
  const task = workerTask.parse(JSON.parse(WAYBILL_TASK ?? ''))
  const onLog = (line: string) => process.stderr.write(`${line}\n`)
  const { ports, close } = await openLocalPorts({ home: WAYBILL_HOME ?? '', env, publicUrl: WAYBILL_PUBLIC_URL ?? '', onLog })
  const { createHandler } = (await import(`./${task.worker}/handler.ts`)) as { createHandler(deps: Ports): WorkerHandler }
  const progress = (done: Readonly<Record<string, string>>) => void process.stdout.write(`${JSON.stringify({ progress: done })}\n`)
  await recordingRefusal(ports, task, () => createHandler(ports)(task, { signal: stopped.signal, progress }))
  close()
  process.exit(0)
} catch (thrown) {
  const error = fullDisk(thrown)
  const known = isWaybillError(error)
  // Only our own sentences leave: another library's message may quote a row or a connection string.
  const last = known
    ? { error: error.code, cause: wholeMessage(error) }
    : { error: 'INTERRUPTED', cause: `The worker failed unexpectedly (${error instanceof Error ? error.name : 'unknown'}).` }
  if (!known && process.env.WAYBILL_TRACE === '1') process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`)
  process.stderr.write(`${JSON.stringify(last)}\n`)
  process.exit(1)
}
