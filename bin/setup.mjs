// Plain JavaScript for any Node ≥ 20: the only code that runs before the dependencies (and Node 24 itself) are there.
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('..', import.meta.url))
const modules = join(root, 'node_modules')
const bin = join(modules, '.bin')
const marker = join(modules, '.waybill-installed')

/** Installs the pinned dependencies once per lock file. Progress goes to stderr: stdout belongs to the command. */
export function ensureDependencies() {
  const wanted = createHash('sha256')
    .update(readFileSync(join(root, 'package.json')))
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex')
  if (existsSync(marker) && readFileSync(marker, 'utf8') === wanted && existsSync(join(bin, 'node'))) return
  process.stderr.write('waybill: installing pinned dependencies (once; about half a minute) …\n')
  const npm = process.env.npm_execpath
  const args = ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error']
  const result = npm?.endsWith('.js')
    ? spawnSync(process.execPath, [npm, ...args], { cwd: root, stdio: ['ignore', 2, 2] })
    : spawnSync('npm', args, { cwd: root, stdio: ['ignore', 2, 2], shell: process.platform === 'win32' })
  if (result.status !== 0) {
    process.stderr.write(
      'waybill: npm install failed; see the lines above. Check the network and the npm registry setting, then run the command again.\n',
    )
    process.exit(2)
  }
  writeFileSync(marker, wanted)
}

/** Environment in which `node` is the pinned Node 24 and the tools are on the path. */
export function toolEnvironment() {
  return { ...process.env, PATH: bin + delimiter + (process.env.PATH ?? ''), NODE_NO_WARNINGS: process.env.NODE_NO_WARNINGS ?? '1' }
}

/** Runs a tool of `node_modules/.bin` in place of this process: same terminal, same signals, same exit code. `more`: variables for it. */
export function become(command, args, cwd = process.cwd(), more = {}) {
  const child = spawn(join(bin, command), args, { cwd, stdio: 'inherit', env: { ...toolEnvironment(), ...more } })
  const forward = (signal) => child.kill(signal)
  // A terminal sends Ctrl-C to the child itself; this process only waits for its answer.
  process.on('SIGINT', () => {})
  process.on('SIGTERM', forward)
  process.on('SIGHUP', forward)
  child.on('error', (error) => {
    process.stderr.write(`waybill: cannot start ${command}: ${error.message}\n`)
    process.exit(2)
  })
  child.on('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)))
}
