// Plain JavaScript for any Node ≥ 20: finds the Chromium that page tests need, and installs it where that can be done.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'

/** Sets WAYBILL_CHROMIUM to a browser of this machine, or to '' and says so. */
export function ensureChromium() {
  const browsers = [process.env.WAYBILL_CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
  const found = () => browsers.find((path) => path && existsSync(path))
  if (!found()) aptInstall('Chromium for the page tests', ['chromium'])
  process.env.WAYBILL_CHROMIUM = found() ?? ''
  return process.env.WAYBILL_CHROMIUM !== ''
}

/** On Debian as root: installs packages. Elsewhere nothing happens; the caller looks whether it has what it needs. */
export function aptInstall(what, packages) {
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) return
  process.stderr.write(`waybill: installing ${what} …\n`)
  const quiet = { stdio: ['ignore', 'ignore', 2], env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } }
  spawnSync('apt-get', ['update', '-qq'], quiet)
  spawnSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...packages], quiet)
}
