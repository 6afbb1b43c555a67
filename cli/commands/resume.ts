import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { resumeDemo } from '../demo/demo.ts'
import { readDemo } from '../demo/folder.ts'
import { interruption } from '../failure.ts'
import { exitCodeOf, withPlatform } from '../run/drive.ts'
import { finished, takeUp } from '../run/project.ts'
import { writeResults } from '../run/results.ts'
import { measured, printSummary, proofValid } from '../run/summary.ts'
import type { Terminal } from '../terminal.ts'
import { HOME_OPTION } from './run.ts'
import { requireHome } from './status.ts'

type Options = { home: string; out: string; json?: boolean }

async function resumeHome(terminal: Terminal, options: Options, signal: AbortSignal): Promise<void> {
  const home = requireHome(options.home)
  await withPlatform({ home, env: process.env, terminal, workers: availableParallelism(), signal }, async (platform) => {
    const taken = await takeUp(platform)
    if (taken.length === 0) {
      terminal.out(options.json ? '[]' : 'Nothing is unfinished.')
      return
    }
    terminal.err(`going on with ${taken.map((one) => one.projectId).join(', ')}; approval pages at ${platform.approvalsUrl}`)
    const ended = await Promise.all(
      taken.map(async (one) => {
        const project = await finished(platform, one)
        const figures = await measured(platform.ports, project)
        const folder = taken.length === 1 ? options.out : join(options.out, project.project_id)
        return { project, figures, results: await writeResults(platform.ports, project, folder) }
      }),
    )
    process.exitCode = Math.max(...ended.map(({ project, figures }) => exitCodeOf(project, proofValid(figures))))
    if (options.json) {
      terminal.out(
        JSON.stringify(
          ended.map(({ project, figures, results }) => ({ project, proof_valid: proofValid(figures), ...results })),
          null,
          2,
        ),
      )
      return
    }
    for (const { project, figures, results } of ended) {
      printSummary(terminal, project, figures)
      terminal.out(`\n${results.written.map((name) => join(results.folder, name)).join('\n')}`)
    }
  })
}

export function resumeCommand(terminal: Terminal): Command {
  return new Command('resume')
    .description('go on after Ctrl-C, kill -9, a power cut or a failure: nothing done is done twice')
    .option(...HOME_OPTION)
    .option('--out <dir>', 'where the results are written; a folder with an unfinished demo resumes that demo', 'out')
    .option('--json', 'the result as JSON')
    .action(async (options: Options) => {
      const signal = interruption(terminal)
      const demo = await readDemo(options.out)
      if (demo !== null && !demo.finished) process.exitCode = await resumeDemo(terminal, options.out, demo, options.json === true, signal)
      else await resumeHome(terminal, options, signal)
    })
}
