/**
 * Counts what a migration asks of AWS, by the simulator of test/scale: fits the estimate's coefficients on small sizes, simulates the large ones, and
 * writes layers/core/scale/counted.json, test/scale/simulated.json and the tables of docs/scale.md. Needs no network; takes a few minutes.
 */

import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

import type { Figures } from '../test/scale/simulator/simulated.ts'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const write = (path: string, value: unknown) => writeFileSync(join(root, path), `${JSON.stringify(value, null, 2)}\n`)
const read = (path: string) => (existsSync(join(root, path)) ? JSON.parse(readFileSync(join(root, path), 'utf8')) : [])
const RESULTS = 'test/scale/simulated.json'
const COUNTED = 'layers/core/scale/counted.json'
const [part, name] = process.argv.slice(2)

// Each part in a process of its own: the model is read when it is loaded, and must be the new one.
if (part === undefined) {
  const { LARGE } = await import('../test/scale/simulator/scenarios.ts')
  for (const each of [['fit'], ...LARGE.map((large) => ['simulate', large.name]), ['document']])
    execFileSync(process.execPath, ['--max-old-space-size=4096', fileURLToPath(import.meta.url), ...each], { stdio: 'inherit' })
} else if (part === 'fit') {
  const { fitted } = await import('../test/scale/simulator/fit.ts')
  const { largest, reached } = read(COUNTED)
  write(COUNTED, { ...(await fitted()), largest, reached })
} else if (part === 'simulate') {
  const { LARGE } = await import('../test/scale/simulator/scenarios.ts')
  const { figuresOf } = await import('../test/scale/simulator/simulated.ts')
  const { simulate } = await import('../test/scale/simulator/simulate.ts')
  const large = LARGE.find((each) => each.name === name)!
  const figures = figuresOf(large, await simulate(large.scenario))
  const others = (read(RESULTS) as Figures[]).filter((each) => each.name !== name)
  const order = LARGE.map((each) => each.name)
  write(
    RESULTS,
    [...others, figures].sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name)),
  )
} else {
  const { reachedByAll } = await import('../test/scale/simulator/simulated.ts')
  write(COUNTED, { ...read(COUNTED), ...reachedByAll(read(RESULTS)) })
  const { tablesOf, withTables } = await import('../test/scale/simulator/document.ts')
  const path = join(root, 'docs/scale.md')
  writeFileSync(path, withTables(readFileSync(path, 'utf8'), tablesOf(read(RESULTS))))
}
