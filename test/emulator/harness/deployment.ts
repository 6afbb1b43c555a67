import { spawn } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ACCOUNT, type Emulator, REGION } from './ministack.ts'

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../../..')
const CDK = join(ROOT, 'node_modules/.bin/cdk')
/** Resource types the emulator refuses a template for. Both are of the network, which no container or function stands in here. */
const UNKNOWN_TYPES = ['AWS::EC2::FlowLog', 'AWS::EC2::SecurityGroupIngress']
const IMAGE_DIGEST = `sha256:${'a'.repeat(64)}`

/** Outputs of all stacks, by name. */
export type Deployment = { outputs: Readonly<Record<string, string>>; assembly: string; staging: string }

/** Synthesises the app as anybody would, takes out what the emulator does not know, bootstraps and deploys all four stacks. */
export async function deploy(emulator: Emulator, folder: string, context: readonly string[] = []): Promise<Deployment> {
  const assembly = join(folder, 'cdk.out')
  const staging = join(folder, 'staging')
  const common = ['--no-notices', '--no-version-reporting']
  await cdk(emulator, ['synth', '--quiet', '--output', assembly, '-c', 'stage=dev', '-c', `staging=${staging}`, ...context, ...common])
  adapt(assembly)
  await cdk(emulator, ['bootstrap', `aws://${ACCOUNT}/${REGION}`, '--app', assembly, ...common])
  const outputsFile = join(folder, 'outputs.json')
  await cdk(emulator, [
    ...['deploy', '--all', '--app', assembly, '--require-approval', 'never', '--outputs-file', outputsFile],
    ...['--parameters', `Waybill-dev-Pipeline:WorkerImageDigest=${IMAGE_DIGEST}`],
    ...common,
  ])
  const stacks = JSON.parse(readFileSync(outputsFile, 'utf8')) as Record<string, Record<string, string>>
  return { outputs: Object.assign({}, ...Object.values(stacks)), assembly, staging }
}

export async function destroy(emulator: Emulator, { assembly }: Deployment): Promise<void> {
  await cdk(emulator, ['destroy', '--all', '--force', '--app', assembly, '--no-notices'])
}

function adapt(assembly: string): void {
  for (const name of readdirSync(assembly).filter((each) => each.endsWith('.template.json'))) {
    const path = join(assembly, name)
    const template = JSON.parse(readFileSync(path, 'utf8')) as { Resources: Record<string, { Type: string }> }
    const kept = Object.entries(template.Resources).filter(([, { Type }]) => !UNKNOWN_TYPES.includes(Type))
    if (kept.length < Object.keys(template.Resources).length)
      writeFileSync(path, JSON.stringify({ ...template, Resources: Object.fromEntries(kept) }))
  }
}

async function cdk(emulator: Emulator, args: readonly string[]): Promise<void> {
  const child = spawn(CDK, args, { cwd: ROOT, env: { ...process.env, ...emulator.env }, stdio: ['ignore', 'pipe', 'pipe'] })
  let text = ''
  child.stdout.on('data', (chunk) => {
    text += chunk
  })
  child.stderr.on('data', (chunk) => {
    text += chunk
  })
  const code = await new Promise((resolve) => child.once('exit', resolve))
  if (code !== 0) throw new Error(`cdk ${args[0]} ended with ${code}:\n${text.slice(-4000)}\n${emulator.log().slice(-2000)}`)
}
