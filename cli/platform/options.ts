import { type Command, Option } from 'commander'

export type PlaceOptions = { home: string; aws?: boolean; profile?: string; stack?: string; region?: string }

/** For commands that work on a home only. */
export const HOME_OPTION = ['--home <dir>', 'where projects, keys, artifacts and the mail outbox are kept', '.waybill'] as const

/** Which account is meant; each of these means `--aws`. */
export function accountOptions(command: Command): Command {
  return command
    .addOption(new Option('--aws', 'in a deployed AWS account instead of a home here'))
    .addOption(new Option('--profile <name>', 'with --aws: the profile of ~/.aws/config to use').implies({ aws: true }))
    .addOption(
      new Option('--stack <name>', "with --aws: the stage, by what its stacks' names begin with, such as Waybill-prod").implies({
        aws: true,
      }),
    )
    .addOption(
      new Option('--region <name>', 'with --aws: the region, where neither profile nor environment says it').implies({ aws: true }),
    )
}

/** `--home` for what runs here, `--aws` and its like for an account. Never both. */
export function placeOptions(command: Command): Command {
  command.addOption(new Option(HOME_OPTION[0], HOME_OPTION[1]).default(HOME_OPTION[2]).conflicts(['aws']))
  return accountOptions(command)
}

/** The account part, as the composition root takes it. */
export function accountOf({ profile, stack, region }: Omit<PlaceOptions, 'home'>): { profile?: string; stack?: string; region?: string } {
  return {
    ...(profile === undefined ? {} : { profile }),
    ...(stack === undefined ? {} : { stack }),
    ...(region === undefined ? {} : { region }),
  }
}
