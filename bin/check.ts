/** `npm run check`: every static gate, each named with its verdict; the exit code is 1 when any of them fails. */
import { spawnSync } from 'node:child_process'

const gates = [
  { name: 'types', command: ['tsc', '--noEmit'] },
  { name: 'lint and format', command: ['biome', 'ci', '--colors=off', '.'] },
  { name: 'unused code', command: ['knip'] },
  { name: 'architecture rules', command: ['vitest', 'run', 'test/architecture.test.ts'] },
]

const failed: string[] = []
for (const gate of gates) {
  const [tool, ...args] = gate.command
  const result = spawnSync(tool!, args, { encoding: 'utf8', env: { ...process.env, NO_COLOR: '1' } })
  const passed = result.status === 0
  if (!passed) {
    failed.push(gate.name)
    process.stdout.write(`${result.stdout}${result.stderr}`)
  }
  process.stdout.write(`${passed ? 'pass' : 'FAIL'}  ${gate.name}\n`)
}
process.exitCode = failed.length === 0 ? 0 : 1
