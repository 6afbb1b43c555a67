import type { Check, Verification } from '../../layers/core/verifier/index.ts'
import type { RedactedVerification } from '../../layers/core/verifier/redacted.ts'
import { type Terminal, visible } from '../terminal.ts'

/** Anybody can seal a consistent folder with keys of their own, so this is not called verified. */
const UNPINNED = 'Whole and consistent. Who signed was not checked: pin keys with --trust.'

/** `verifiedWords`: what verified means where the pinned keys are not an auditor's own. */
export function printVerification(terminal: Terminal, result: Verification, verifiedWords = 'Verified.'): void {
  printChecks(terminal, result.checks)
  if (result.verified && result.trust === 'pinned') terminal.out(terminal.paint(['bold', 'green'], `\n${verifiedWords}`))
  else if (result.verified) terminal.out(terminal.paint('bold', `\n${UNPINNED}`))
  else printFaults(terminal, result.faults)
}

export function printRedacted(terminal: Terminal, result: RedactedVerification): void {
  printChecks(terminal, result.checks)
  for (const [why, paths] of Map.groupBy(result.withheld, ({ why }) => why)) {
    terminal.out(
      `withheld  ${paths.length === 1 ? '1 file' : `${paths.length} files`}, ${foldersOf(paths.map(({ path }) => path))}: ${visible(why)}`,
    )
  }
  if (!result.consistent) {
    printFaults(terminal, result.faults)
    return
  }
  const who = result.trust === 'pinned' ? '' : ' Who signed was not checked: pin keys with --trust.'
  terminal.out(
    terminal.paint('bold', `\nWhat is here is what was sealed. ${result.withheld.length} files are withheld and were not verified.${who}`),
  )
}

function foldersOf(paths: readonly string[]): string {
  return [...new Set(paths.map((path) => (path.includes('/') ? `${path.split('/')[0]}/` : path)))].map(visible).join(', ')
}

export function printFaults(terminal: Terminal, faults: readonly string[]): void {
  terminal.out(terminal.paint(['bold', 'red'], `\nNot verified. First fault: ${visible(faults[0] ?? 'unknown')}`))
  for (const fault of faults.slice(1)) terminal.out(`  also: ${visible(fault)}`)
}

function printChecks(terminal: Terminal, checks: readonly Check[]): void {
  for (const { verdict, says } of checks) {
    const mark = verdict === 'pass' ? terminal.paint('green', 'pass') : verdict === 'fail' ? terminal.paint('red', 'FAIL') : '  – '
    terminal.out(`${mark}  ${visible(says)}`)
  }
}
