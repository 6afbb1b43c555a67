import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { interruption } from '../failure.ts'
import { ensureFolder } from '../folder.ts'
import { usePolicy } from '../policy-file.ts'
import { exitCodeOf, withPlatform } from '../run/drive.ts'
import { finished, startProject } from '../run/project.ts'
import { type RequestOptions, readRequest } from '../run/request.ts'
import { writeResults } from '../run/results.ts'
import { measured, printSummary, proofValid } from '../run/summary.ts'
import { type Terminal, visible } from '../terminal.ts'

type Options = RequestOptions & { home: string; out: string; policy?: string; json?: boolean }

export const HOME_OPTION = ['--home <dir>', 'where projects, keys, artifacts and the mail outbox are kept', '.waybill'] as const

export function runCommand(terminal: Terminal): Command {
  return new Command('run')
    .description('run a migration from its spec: plan, approve, copy, reconcile, prove, seal the evidence')
    .argument('<spec>', 'migration.yaml, the same as JSON, or an input document (JSON)')
    .option(...HOME_OPTION)
    .option('--out <dir>', 'where the results are written', 'out')
    .option('--policy <file>', 'the policy to put in force in the home; without it, the one there, or the default')
    .option('--author <address>', 'for an input document, which names nobody: who asks')
    .option(
      '--approver <role=address>',
      'for an input document: who approves in a role; once for each',
      (value: string, previous: string[]) => [...previous, value],
      [] as string[],
    )
    .option('--json', 'the result as JSON')
    .addHelpText(
      'after',
      '\nApprovers get their links by mail (outbox/ in the home, or WAYBILL_SMTP_URL). "waybill approve" lists them.\nCtrl-C stops cleanly; "waybill resume" goes on.',
    )
    .action(async (file: string, options: Options) => {
      const request = await readRequest(file, options)
      for (const note of request.notes) terminal.err(`note: ${visible(note)}`)
      await ensureFolder(options.home, 0o700)
      if (options.policy) await usePolicy(options.home, options.policy)
      const signal = interruption(terminal)
      await withPlatform({ home: options.home, env: process.env, terminal, workers: availableParallelism(), signal }, async (platform) => {
        const started = await startProject(platform, request.text)
        terminal.err(`project ${started.projectId}; approval pages at ${platform.approvalsUrl}; mail in ${platform.home.outbox}`)
        const project = await finished(platform, started)
        const figures = await measured(platform.ports, project)
        const results = await writeResults(platform.ports, project, options.out)
        process.exitCode = exitCodeOf(project, proofValid(figures))
        if (options.json) terminal.out(JSON.stringify({ project, proof_valid: proofValid(figures), ...results }, null, 2))
        else {
          printSummary(terminal, project, figures)
          terminal.out(`\n${results.written.map((name) => join(options.out, name)).join('\n')}`)
        }
      })
    })
}
