// node bin/test-aws.mjs [ARG …]: the app deployed to an emulated AWS, and migrations run on it. Whatever happens, nothing it started outlives it.
import { spawn } from 'node:child_process'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { ensureChromium } from './chromium.mjs'
import { ensureEmulators } from './emulator.mjs'
import { ensureDependencies, root, toolEnvironment } from './setup.mjs'

ensureDependencies()
if (!ensureChromium()) {
  process.stderr.write(
    'waybill: npm run test:aws opens approval links in Chromium, and there is none. Install it, or set WAYBILL_CHROMIUM.\n',
  )
  process.exit(2)
}
const emulators = ensureEmulators()

// Everything the tests write lies here; a PostgreSQL that runs as another account must be able to walk in.
const scratch = mkdtempSync(join(tmpdir(), 'waybill-test-aws-'))
chmodSync(scratch, 0o755)

// A process group of its own: emulators, their functions, workers and browsers all belong to it and can be ended together.
const tests = spawn(join(root, 'node_modules/.bin/vitest'), ['run', '--config', 'vitest.aws.config.ts', ...process.argv.slice(2)], {
  cwd: root,
  detached: true,
  stdio: 'inherit',
  env: { ...toolEnvironment(), ...emulators, TMPDIR: scratch },
})
let stopped
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
  process.on(signal, () => {
    stopped ??= signal
    end(-tests.pid, 'SIGTERM')
    setTimeout(() => end(-tests.pid, 'SIGKILL'), 10_000).unref()
  })
tests.on('error', (error) => {
  process.stderr.write(`waybill: cannot start vitest: ${error.message}\n`)
  process.exitCode = 2
})
tests.on('exit', (code, signal) => {
  end(-tests.pid, 'SIGKILL')
  for (const server of servers(scratch, 4)) end(server, 'SIGQUIT')
  rmSync(scratch, { recursive: true, force: true, maxRetries: 20, retryDelay: 250 })
  process.exitCode = stopped === undefined ? (code ?? 128 + (constants.signals[signal] ?? 0)) : 128 + constants.signals[stopped]
})

function end(pid, signal) {
  try {
    process.kill(pid, signal)
  } catch {
    // It has ended by itself.
  }
}

/** PostgreSQL puts itself outside every group; its own file says which process it is. */
function servers(folder, depth) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(entry.parentPath, entry.name)
    if (entry.isDirectory()) return depth === 0 ? [] : servers(path, depth - 1)
    return entry.name === 'postmaster.pid' ? [Number.parseInt(readFileSync(path, 'utf8'), 10)] : []
  })
}
