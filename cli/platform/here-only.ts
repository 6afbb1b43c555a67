import type { Command } from 'commander'
import { WaybillError } from '../../layers/core/errors.ts'

/** Why a command has nothing to do in an account, and what does it there. */
const INSTEAD: Readonly<Record<string, string>> = {
  demo: 'it runs on this machine alone. Start a migration in an account with: waybill run --aws migration.yaml',
  init: 'it writes a file here, the same for an account. Write it without --aws, and start it with: waybill run --aws migration.yaml',
  policy:
    'it reads files and homes. The policy of an account is deployed with it: put it at infra/policy.json, and deploy again as docs/deploy.md says',
  timestamp: 'it works on a pack in a folder. Fetch one with: waybill verify --aws PROJECT --out DIR',
  evidence: 'it works on a pack in a folder. Fetch one with: waybill verify --aws PROJECT --out DIR',
  compare:
    'it compares what this machine reaches. Compare the two sides of a migration in an account with: waybill reconcile --aws PROJECT',
  schema: 'the schemas are the same everywhere. Leave it out',
}

const ACCOUNT_FLAGS = ['--aws', '--profile', '--stack', '--region']

/**
 * @param args what was typed behind `waybill`
 * @throws BAD_INPUT for an account asked of a command that works here alone, with what to do
 */
export function refuseAccountHere(program: Command, args: readonly string[]): void {
  const [name, sub] = args.filter((arg) => !arg.startsWith('-'))
  const outer = program.commands.find((command) => command.name() === name)
  const command = outer?.commands.find((inner) => inner.name() === sub) ?? outer
  const asked = ACCOUNT_FLAGS.find((flag) => args.some((arg) => arg === flag || arg.startsWith(`${flag}=`)))
  const instead = INSTEAD[name ?? '']
  if (command === undefined || asked === undefined || instead === undefined) return
  if (command.options.some(({ long }) => long === asked)) return
  throw new WaybillError('BAD_INPUT', `waybill ${name} has no ${asked}: ${instead}.`)
}
