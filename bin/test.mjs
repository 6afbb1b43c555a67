// node bin/test.mjs [ARG …]: every test, after fetching what the tests stand on. Page tests need a real Chromium.
import { ensureChromium } from './chromium.mjs'
import { become, ensureDependencies, root } from './setup.mjs'

ensureDependencies()
if (!ensureChromium())
  process.stderr.write('waybill: no Chromium found; the page tests will be reported as skipped. Install it, or set WAYBILL_CHROMIUM.\n')
become('vitest', ['run', ...process.argv.slice(2)], root)
