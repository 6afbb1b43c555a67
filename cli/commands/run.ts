import { Command, Option } from 'commander'
import { workloadOf } from '../../functions/local-estimate.ts'
import { estimateScale } from '../../layers/core/scale/estimate.ts'
import { readSpec } from '../../layers/core/spec-reader.ts'
import { interruption } from '../failure.ts'
import { ensureFolder } from '../folder.ts'
import { onPlatform } from '../platform/open.ts'
import { type PlaceOptions, placeOptions } from '../platform/options.ts'
import { usePolicy } from '../policy-file.ts'
import { endedExitCode, endedJson, endedProject, printEnded } from '../run/ended.ts'
import { printEstimate } from '../run/estimate.ts'
import { type RequestOptions, readRequest } from '../run/request.ts'
import { type Terminal, visible } from '../terminal.ts'

type Options = RequestOptions & PlaceOptions & { out: string; policy?: string; json?: boolean; estimate?: boolean }

export function runCommand(terminal: Terminal): Command {
  const command = new Command('run')
    .description('run a migration from its spec: plan, approve, copy, reconcile, prove, seal the evidence')
    .argument('<spec>', 'migration.yaml, the same as JSON, or an input document (JSON)')
  return placeOptions(command)
    .option('--out <dir>', 'where the results are written', 'out')
    .addOption(
      new Option('--policy <file>', 'the policy to put in force in the home; without it, the one there, or the default').conflicts(['aws']),
    )
    .option('--author <address>', 'for an input document, which names nobody: who asks')
    .option(
      '--approver <role=address>',
      'for an input document: who approves in a role; once for each',
      (value: string, previous: string[]) => [...previous, value],
      [] as string[],
    )
    .option('--json', 'the result as JSON')
    .addOption(
      new Option(
        '--estimate',
        "only reckon time and cost of doing it in an AWS account, from the source's catalog; nothing is moved",
      ).conflicts(['aws', 'policy']),
    )
    .addHelpText(
      'after',
      '\nApprovers get their links by mail (outbox/ in the home, or WAYBILL_SMTP_URL). "waybill approve" lists them.\nCtrl-C stops cleanly; "waybill resume" goes on.\nWith --aws the account does the work: Ctrl-C only stops watching it, and its policy is the deployed one.',
    )
    .action(async (file: string, options: Options) => {
      const request = await readRequest(file, options)
      for (const note of request.notes) terminal.err(`note: ${visible(note)}`)
      if (options.estimate) {
        const signal = interruption(terminal)
        const estimate = estimateScale(await workloadOf({ home: options.home, env: process.env, spec: readSpec(request.text), signal }))
        if (options.json) terminal.out(JSON.stringify(estimate, null, 2))
        else printEstimate(terminal, estimate)
        return
      }
      const prepare = async (home: string) => {
        await ensureFolder(home, 0o700)
        if (options.policy) await usePolicy(home, options.policy)
      }
      await onPlatform(terminal, options, prepare, async (platform) => {
        const started = await platform.start(request.text)
        terminal.err(`project ${started.projectId}; ${platform.people}`)
        const ended = await endedProject(platform.ports, await platform.finished(started), options.out)
        process.exitCode = endedExitCode(ended)
        if (options.json) terminal.out(JSON.stringify(endedJson(ended), null, 2))
        else printEnded(terminal, ended)
      })
    })
}
