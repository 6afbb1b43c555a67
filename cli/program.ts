import { Command } from 'commander'
import { approveCommand } from './commands/approve.ts'
import { auditCommand } from './commands/audit.ts'
import { compareCommand } from './commands/compare.ts'
import { demoCommand } from './commands/demo.ts'
import { doctorCommand } from './commands/doctor.ts'
import { evidenceCommand } from './commands/evidence.ts'
import { initCommand } from './commands/init.ts'
import { policyCommand } from './commands/policy.ts'
import { reconcileCommand } from './commands/reconcile.ts'
import { reportCommand } from './commands/report.ts'
import { resumeCommand } from './commands/resume.ts'
import { runCommand } from './commands/run.ts'
import { schemaCommand } from './commands/schema.ts'
import { statusCommand } from './commands/status.ts'
import { timestampCommand } from './commands/timestamp.ts'
import { verifyCommand } from './commands/verify.ts'
import { waiveCommand } from './commands/waive.ts'
import type { Terminal } from './terminal.ts'

/** Every command there is. */
export function programOf(terminal: Terminal): Command {
  const program = new Command('waybill')
    .description(
      'Proves data migrations: plans one, has the plan signed and approved, moves the data,\nreconciles source against target to the last row, and hands over evidence.',
    )
    .version('0.1.0')
    .showHelpAfterError('(waybill <command> --help shows what it takes)')
    .exitOverride()
    .configureOutput({ writeOut: (text) => process.stdout.write(text), writeErr: (text) => process.stderr.write(text) })
    .addHelpText('after', '\nExit codes: 0 pass · 1 fail · 2 not able to decide, or wrong input · 130 interrupted')
  for (const command of [
    demoCommand,
    initCommand,
    doctorCommand,
    runCommand,
    statusCommand,
    resumeCommand,
    approveCommand,
    reconcileCommand,
    reportCommand,
    waiveCommand,
    policyCommand,
    verifyCommand,
    timestampCommand,
    evidenceCommand,
    auditCommand,
    compareCommand,
    schemaCommand,
  ])
    program.addCommand(heeding(command(terminal)))
  return program
}

/** A command that was made by itself inherits nothing: wrong input would end as 1, which says that something does not hold. */
function heeding(command: Command): Command {
  for (const inner of command.commands) heeding(inner)
  return command.exitOverride().showHelpAfterError('(waybill <command> --help shows what it takes)')
}
