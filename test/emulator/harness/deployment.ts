import { spawn } from 'node:child_process'
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { copyCheckout } from './checkout.ts'
import { ACCOUNT, type Emulator, REGION } from './ministack.ts'

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../../..')
const CDK = join(ROOT, 'node_modules/.bin/cdk')
/** Resource types the emulator refuses a template for. Both are of the network, which no container or function stands in here. */
const UNKNOWN_TYPES = ['AWS::EC2::FlowLog', 'AWS::EC2::SecurityGroupIngress']
const QUIET = ['--no-notices', '--no-version-reporting']

/** By which digest tasks name it, and the folder that was staged when it was built. */
export type WorkerImage = { digest: string; staged: string }

/** `outputs` of all stacks, by name. */
export type Deployment = {
  outputs: Readonly<Record<string, string>>
  checkout: string
  assembly: string
  staging: string
  image: WorkerImage
}

/** Synthesises the app as anybody would, takes out what the emulator does not know, bootstraps and deploys all four stacks. */
export async function deploy(emulator: Emulator, folder: string, context: readonly string[] = []): Promise<Deployment> {
  const checkout = join(folder, 'checkout')
  copyCheckout(checkout)
  const places = { checkout, assembly: join(folder, 'cdk.out'), staging: join(folder, 'staging') }
  await synth(emulator, places, context)
  await cdk(emulator, checkout, ['bootstrap', `aws://${ACCOUNT}/${REGION}`, '--app', places.assembly, ...QUIET])
  return deployAll(emulator, places, folder, 'a')
}

/** Deploys again from the same checkout, as it is now, with a worker image built from it. `cdk` leaves stacks alone whose template is the same. */
export async function deployAgain(
  emulator: Emulator,
  { checkout, assembly, staging }: Deployment,
  folder: string,
  context: readonly string[],
): Promise<Deployment> {
  const places = { checkout, assembly, staging }
  await synth(emulator, places, context)
  return deployAll(emulator, places, folder, 'b')
}

type Places = Pick<Deployment, 'checkout' | 'assembly' | 'staging'>

async function synth(emulator: Emulator, { checkout, assembly, staging }: Places, context: readonly string[]): Promise<void> {
  const options = ['--quiet', '--output', assembly, '-c', 'stage=dev', '-c', `staging=${staging}`]
  await cdk(emulator, checkout, ['synth', ...options, ...context, ...QUIET])
  adapt(assembly)
}

/** `image`: a hexadecimal digit, of which the image's made-up digest consists. */
async function deployAll(emulator: Emulator, places: Places, folder: string, image: string): Promise<Deployment> {
  const digest = `sha256:${image.repeat(64)}`
  const staged = join(folder, `built-${image}`)
  cpSync(join(places.staging, 'worker'), join(staged, 'worker'), { recursive: true })
  const outputsFile = join(folder, 'outputs.json')
  await cdk(emulator, places.checkout, [
    ...['deploy', '--all', '--app', places.assembly, '--require-approval', 'never', '--outputs-file', outputsFile],
    ...['--parameters', `Waybill-dev-Pipeline:WorkerImageDigest=${digest}`],
    ...QUIET,
  ])
  const stacks = JSON.parse(readFileSync(outputsFile, 'utf8')) as Record<string, Record<string, string>>
  return { ...places, outputs: Object.assign({}, ...Object.values(stacks)), image: { digest, staged } }
}

export async function destroy(emulator: Emulator, { checkout, assembly }: Deployment): Promise<void> {
  await cdk(emulator, checkout, ['destroy', '--all', '--force', '--app', assembly, '--no-notices'])
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

async function cdk(emulator: Emulator, cwd: string, args: readonly string[]): Promise<void> {
  const child = spawn(CDK, args, { cwd, env: { ...process.env, ...emulator.env }, stdio: ['ignore', 'pipe', 'pipe'] })
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
