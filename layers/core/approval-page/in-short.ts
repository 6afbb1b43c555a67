import type { Finding } from '../schemas/finding.ts'
import type { Outcome } from '../schemas/outcome.ts'
import type { Plan } from '../schemas/plan.ts'
import { grouped } from './plan-words.ts'
import type { Mark } from './section.ts'

type Line = { mark: Mark; text: string }

const counted = (count: number, one: string, many: string) => `${grouped(count)} ${count === 1 ? one : many}`

/** A plan in three lines: how much, what is lost or hidden on the way, what the validators say. */
export function planInShort(plan: Plan, findings: readonly Finding[]): Line[] {
  const columns = plan.tables.flatMap((table) => table.columns)
  const masked = columns.filter((column) => column.transform.kind.startsWith('mask_')).length
  const lossy = columns.filter((column) => column.lossy).length
  const filtered = plan.tables.filter((table) => table.filter !== null).length
  const rows = plan.estimate.rows === null ? 'An unknown number of rows' : `About ${grouped(plan.estimate.rows)} rows`
  const open = findings.filter((finding) => finding.verdict !== 'pass').length
  return [
    { mark: 'note', text: `${rows} in ${counted(plan.tables.length, 'table', 'tables')} are copied; the source is only read.` },
    lossy + masked + filtered === 0
      ? { mark: 'good', text: 'Nothing is lost, masked or left behind on the way.' }
      : {
          mark: 'care',
          text: `${counted(lossy, 'column loses', 'columns lose')} information, ${counted(masked, 'is', 'are')} masked, and of ${counted(filtered, 'table', 'tables')} only some rows are moved.`,
        },
    open === 0
      ? { mark: 'good', text: `All ${counted(findings.length, 'check', 'checks')} of the plan passed.` }
      : { mark: 'care', text: `${counted(open, 'check', 'checks')} of the plan did not simply pass; read them below.` },
  ]
}

/** A proof in one line. */
export function proofInShort(outcome: Outcome): Line[] {
  switch (outcome.proof_certificate.proof_status) {
    case 'VALID':
      return [{ mark: 'good', text: 'Source and target are equal, row by row; the proof is valid.' }]
    case 'INVALID':
      return [{ mark: 'bad', text: 'Source and target differ; the proof is not valid.' }]
    default:
      return [{ mark: 'care', text: 'Whether source and target are equal could not be decided. That is not the same as equal.' }]
  }
}
