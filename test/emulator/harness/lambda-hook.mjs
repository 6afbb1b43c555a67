// Preloaded into every Node process of the emulator. What it adapts is listed in ../README.md.
import { existsSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const layers = (process.env._LAMBDA_LAYERS_DIRS ?? '').split(':').filter(Boolean)
const HANDLER = /\/code\/index\.mjs$/

// GitHub itself is out of reach: its address leads to a server of the tests.
const { WAYBILL_TEST_GITHUB: github } = process.env
const reach = globalThis.fetch
if (github !== undefined) globalThis.fetch = (input, init) => reach(String(input).replace(/^https:\/\/api\.github\.com/, github), init)

registerHooks({
  // Lambda unpacks layers into /opt; the emulator into a folder of its own.
  resolve(specifier, context, next) {
    if (!specifier.startsWith('/opt/')) return next(specifier, context)
    const found = layers.map((folder) => join(folder, specifier.slice('/opt/'.length))).find((path) => existsSync(path))
    return found === undefined ? next(specifier, context) : { url: pathToFileURL(found).href, shortCircuit: true }
  },
  // Lambda reports an error by its name; the emulator by one name for all. The name travels before the message instead.
  load(url, context, next) {
    if (!HANDLER.test(url)) return next(url, context)
    const source = `
      import * as inner from ${JSON.stringify(`${url}?inner`)}
      export const handler = async (event, context) => {
        try {
          return await inner.handler(event, context)
        } catch (error) {
          error.message = 'named ' + error.name + ' ' + error.message
          throw error
        }
      }`
    return { format: 'module', source, shortCircuit: true }
  },
})
