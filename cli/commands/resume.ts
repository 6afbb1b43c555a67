import { join } from 'node:path'
import { Command } from 'commander'
import { resumeDemo } from '../demo/demo.ts'
import { readDemo } from '../demo/folder.ts'
import { interruption } from '../failure.ts'
import { requireHome } from '../platform/embedded.ts'
import { onPlatform } from '../platform/open.ts'
import { type PlaceOptions, placeOptions } from '../platform/options.ts'
import { endedExitCode, endedJson, endedProject, printEnded } from '../run/ended.ts'
import { printUnreadable, unreadable } from '../status/unreadable.ts'
import { EXIT, type Terminal } from '../terminal.ts'

type Options = PlaceOptions & { out: string; json?: boolean }

async function resumeAll(terminal: Terminal, options: Options, only: string | undefined): Promise<void> {
  await onPlatform(terminal, options, requireHome, async (platform) => {
    const named = only === undefined ? null : await platform.ports.projects.get(only)
    const spoiled = only === undefined ? (await platform.ports.projects.list()).unreadable.map((one) => unreadable(platform, one)) : []
    for (const one of spoiled) printUnreadable(terminal, one)
    if (spoiled.length > 0) process.exitCode = EXIT.undecided
    const taken = await platform.takeUp(only)
    if (taken.length === 0) {
      if (options.json) terminal.out(JSON.stringify(spoiled, null, 2))
      else if (named !== null) terminal.out(`${named.project_id} is ${named.state}: nothing of it is unfinished.`)
      else terminal.out(spoiled.length === 0 ? 'Nothing is unfinished.' : 'Nothing else is unfinished.')
      return
    }
    const names = taken.map(({ projectId, how }) => (how === undefined ? projectId : `${projectId} (${how})`))
    terminal.err(`going on with ${names.join(', ')}; ${platform.people}`)
    const ended = await Promise.all(
      taken.map(async (one) => {
        const project = await platform.finished(one)
        return endedProject(platform.ports, project, taken.length === 1 ? options.out : join(options.out, project.project_id))
      }),
    )
    process.exitCode = Math.max(...ended.map(endedExitCode), ...spoiled.map(() => EXIT.undecided))
    if (options.json) terminal.out(JSON.stringify([...ended.map(endedJson), ...spoiled], null, 2))
    else for (const one of ended) printEnded(terminal, one)
  })
}

export function resumeCommand(terminal: Terminal): Command {
  const command = new Command('resume')
    .description('go on after Ctrl-C, kill -9, a power cut or a failure: nothing done is done twice')
    .argument('[project]', 'only this project')
  return placeOptions(command)
    .option('--out <dir>', 'where the results are written; a folder with an unfinished demo resumes that demo', 'out')
    .option('--json', 'the result as JSON')
    .addHelpText(
      'after',
      '\nWith --aws: watches what is running; begins a failed project again where it failed; redrives an execution that ended without saying so. Workers ask the barrier again before they touch anything.',
    )
    .action(async (only: string | undefined, options: Options) => {
      const demo = options.aws === true ? null : await readDemo(options.out)
      if (demo !== null && !demo.finished)
        process.exitCode = await resumeDemo(terminal, options.out, demo, options.json === true, interruption(terminal))
      else await resumeAll(terminal, options, only)
    })
}
