// Plain JavaScript for any Node ≥ 20: the emulators of AWS, which are Python programs, in an environment of their own inside node_modules.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { aptInstall } from './chromium.mjs'
import { root } from './setup.mjs'

const REQUIREMENTS = join(root, 'test/emulator/requirements.txt')
const cache = join(root, 'node_modules/.cache/waybill-aws')

/** Installs the pinned emulators once per list of versions. @returns what tests need in their environment to find them */
export function ensureEmulators() {
  const wanted = createHash('sha256').update(readFileSync(REQUIREMENTS)).digest('hex')
  const marker = join(cache, 'installed')
  const program = (name) => join(cache, 'bin', name)
  if (!existsSync(marker) || readFileSync(marker, 'utf8') !== wanted || !existsSync(program('ministack'))) install(python(), wanted, marker)
  return { WAYBILL_MINISTACK: program('ministack'), WAYBILL_MOTO: program('moto_server'), WAYBILL_CFN_LINT: program('cfn-lint') }
}

function install(python, wanted, marker) {
  process.stderr.write('waybill: installing the pinned AWS emulators (once; about a minute) …\n')
  rmSync(cache, { recursive: true, force: true })
  must(
    spawnSync(python, ['-m', 'venv', cache], { stdio: ['ignore', 2, 2] }),
    `${python} -m venv failed. On Debian: apt-get install python3-venv.`,
  )
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--requirement', REQUIREMENTS]
  must(
    spawnSync(join(cache, 'bin/python'), pip, { stdio: ['ignore', 2, 2] }),
    'pip install failed; see the lines above. Check the network and the package index setting, then run the command again.',
  )
  writeFileSync(marker, wanted)
}

/** A Python that can make environments. */
function python() {
  const names = [process.env.WAYBILL_PYTHON, 'python3', '/usr/bin/python3'].filter(Boolean)
  const able = (name) => spawnSync(name, ['-c', 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))']).status === 0
  const found = () => names.find(able)
  if (found() === undefined) aptInstall('Python for the AWS emulators', ['python3', 'python3-venv'])
  const name = found()
  if (name !== undefined) return name
  process.stderr.write(
    'waybill: npm run test:aws needs Python 3.11 or newer with its venv module, for the emulators of AWS. Install python3 and python3-venv, or name another Python in WAYBILL_PYTHON. npm test needs none.\n',
  )
  process.exit(2)
}

function must(result, message) {
  if (result.status === 0) return
  process.stderr.write(`waybill: ${message}\n`)
  process.exit(2)
}
