import { Command } from 'commander'
import { overall } from '../../layers/core/doctor.ts'
import type { MigrationSpec } from '../../layers/core/schemas/spec.ts'
import { readSpec } from '../../layers/core/spec-reader.ts'
import { examinePlace } from '../platform/open.ts'
import { type PlaceOptions, placeOptions } from '../platform/options.ts'
import { readRequest } from '../run/request.ts'
import { EXIT, type Terminal, visible } from '../terminal.ts'

const MARKS = { ok: ['green', 'ok  '], warn: ['yellow', 'warn'], fail: ['red', 'FAIL'], unknown: ['yellow', '  ? '] } as const

async function specOf(file: string | undefined): Promise<MigrationSpec | null> {
  if (file === undefined) return null
  const { text } = await readRequest(file, { approver: [] })
  return readSpec(text)
}

export function doctorCommand(terminal: Terminal): Command {
  const command = new Command('doctor')
    .description('look whether everything Waybill needs is there and as it should be; changes nothing')
    .argument('[spec]', 'also whether the systems or secrets that this spec names can be reached')
  return placeOptions(command)
    .option('--json', 'as JSON')
    .addHelpText(
      'after',
      '\nExit codes: 0 nothing fails · 1 something fails · 2 something could not be looked at, or nothing at all\nWith --aws it looks at the deployed stacks, mail, network, evidence bucket, keys, workers, schedules, git token and approval pages.',
    )
    .action(async (file: string | undefined, options: PlaceOptions & { json?: boolean }) => {
      const { name, lines } = await examinePlace(options, await specOf(file))
      const result = overall(lines)
      process.exitCode = result === 'pass' ? EXIT.pass : result === 'fail' ? EXIT.fail : EXIT.undecided
      if (options.json) {
        terminal.out(JSON.stringify({ place: name, result, lines }, null, 2))
        return
      }
      terminal.out(`${name}\n`)
      for (const { verdict, says, remedy } of lines) {
        const [style, mark] = MARKS[verdict]
        terminal.out(`${terminal.paint(style, mark)}  ${visible(says)}`)
        if (remedy !== null) terminal.out(`      ${visible(remedy)}`)
      }
      const fails = lines.filter(({ verdict }) => verdict === 'fail').length
      if (fails > 0) terminal.out(`\n${fails} of ${lines.length} fail.`)
    })
}
