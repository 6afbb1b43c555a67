import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Row } from './pipeline.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** `cdk synth` of all four stacks as a person runs it: bundles, templates and cdk-nag. */
export async function synthRow(): Promise<Row> {
  const folder = await mkdtemp(join(tmpdir(), 'waybill-synth-'))
  const args = ['synth', '--quiet', '--no-notices', '--no-version-reporting', '--output', join(folder, 'out'), '-c', 'stage=dev']
  try {
    const from = performance.now()
    await promisify(execFile)(join(ROOT, 'node_modules/.bin/cdk'), [...args, '-c', `staging=${join(folder, 'staging')}`], {
      cwd: ROOT,
      env: { ...process.env, CDK_DISABLE_CLI_TELEMETRY: '1' },
    })
    const measured = `${((performance.now() - from) / 1000).toFixed(1)} s`
    return { what: '`cdk synth` of the four stacks: bundles, templates, cdk-nag', measured, target: '< 30 s' }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
