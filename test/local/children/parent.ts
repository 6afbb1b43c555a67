/** Starts a worker that writes on for ever, tells its pid, and waits to be killed: `parent.ts FILE`. */
import { fileURLToPath } from 'node:url'
import { runWorkerProcess } from '../../../layers/local/worker-process.ts'

const [file = ''] = process.argv.slice(2)
await runWorkerProcess({
  entry: fileURLToPath(new URL('./worker.ts', import.meta.url)),
  env: { WAYBILL_TASK: JSON.stringify({ act: 'write on', file }) },
  signal: new AbortController().signal,
  onProgress: (progress) => process.stdout.write(`${JSON.stringify(progress)}\n`),
})
