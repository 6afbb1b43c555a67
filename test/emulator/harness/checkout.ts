import { cpSync, mkdirSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../../..')
/** What an organisation writes beside the app: a test's account has none of it until the test writes it. */
const OWN = /\/infra\/(settings\.\w+\.json|policy\.json|certificates\.pem)$/

/** Copies what `cdk synth` reads into `folder`, so that a test writes `infra/policy.json` there as a user does here. */
export function copyCheckout(folder: string): void {
  mkdirSync(folder)
  for (const name of ['cdk.json', 'package.json', 'tsconfig.json', 'infra', 'functions', 'layers', 'statemachines'])
    cpSync(join(ROOT, name), join(folder, name), { recursive: true, filter: (path) => !OWN.test(path) })
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
}
