import { isDrafted } from '../../functions/work/waiving.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'
import { type Terminal, visible } from '../terminal.ts'
import type { ListedFinding } from './listed.ts'

/** What was found, a finding after the other: what helps, who waived it, and whether somebody may. */
export function printFindings(terminal: Terminal, project: ProjectRecord, open: readonly ListedFinding[]): void {
  if (open.length === 0)
    terminal.out(
      isDrafted(project)
        ? 'No finding keeps this plan from being signed.'
        : `No finding kept its plan from being signed; ${project.project_id} is ${project.state}.`,
    )
  for (const { finding_id, finding, barred, waived } of open) {
    terminal.out(`${finding_id}  ${finding.severity}  ${finding.rule_id}  ${visible(finding.where)}`)
    terminal.out(`  ${visible(finding.what)}`)
    terminal.out(`  What helps: ${visible(finding.remedy)}`)
    if (waived !== null)
      terminal.out(`  Waived by ${visible(waived.by)} until ${visible(waived.until)}${waived.passed ? ', which has passed' : ''}.`)
    if (waived === null || waived.passed)
      terminal.out(barred === null ? '  It may be waived.' : `  It cannot be waived: ${visible(barred)}.`)
  }
}

/** What comes next in an account, in a sentence; null where nothing is to be said: the plan is signed, the project over, or a run at it. */
export function nextWords(project: ProjectRecord, open: readonly ListedFinding[], flags: string): string | null {
  const [first] = open
  if (first === undefined || !isDrafted(project) || project.state !== 'FAILED') return null
  if (open.every(({ waived }) => waived?.passed === false)) return `Go on with: waybill resume${flags} ${project.project_id}`
  if (first.mailed !== null)
    return `Mailed to ${visible(first.mailed.to)} as ${visible(first.mailed.role)} at ${first.mailed.at}. A finding is waived on the page of that link.`
  return open.every(({ barred }) => barred === null)
    ? 'The link that waives is mailed within a quarter of an hour, if the spec names somebody who may.'
    : null
}
