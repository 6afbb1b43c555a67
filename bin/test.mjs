// node bin/test.mjs [ARG …]: every test, after fetching what the tests stand on. Page tests need a real Chromium.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { become, ensureDependencies, root } from './setup.mjs'

ensureDependencies()
const browsers = [process.env.WAYBILL_CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
const found = () => browsers.find((path) => path && existsSync(path))
if (!found() && process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) {
  process.stderr.write('waybill: installing Chromium for the page tests …\n')
  const quiet = { stdio: ['ignore', 'ignore', 2], env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } }
  spawnSync('apt-get', ['update', '-qq'], quiet)
  spawnSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'chromium'], quiet)
}
if (!found())
  process.stderr.write('waybill: no Chromium found; the page tests will be reported as skipped. Install it, or set WAYBILL_CHROMIUM.\n')
process.env.WAYBILL_CHROMIUM = found() ?? ''
become('vitest', ['run', ...process.argv.slice(2)], root)
