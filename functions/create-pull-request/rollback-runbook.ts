import { visible } from '../../layers/core/approval-page/visible-text.ts'
import type { Plan } from '../../layers/core/schemas/plan.ts'

/** How what this plan made is taken back by a person; Waybill does the same by itself where the plan allows it. */
export function rollbackRunbook(plan: Plan): string {
  // Backticks would end the code span of a hostile name.
  const name = (text: string) => visible(text, 120).replaceAll('`', "'")
  const tables = plan.tables.map((table) => `- \`${name(table.target.schema)}.${name(table.target.name)}\``)
  return `# Rolling back ${name(plan.title)}

The source was only read: it stays as it is, and it is the way back.

1. Stop whatever reads or writes these tables of the target:
${tables.join('\n')}
2. Point it at the source again.
3. Drop the tables that this plan made: they go with everything in them, whoever put it there, so save first what others added. Waybill does this by itself when the outcome says ROLLBACK${plan.rollback.auto_rollback_enabled ? '' : ' and automatic rollback is allowed; this plan does not allow it'}; it stops where a table holds more rows than were copied, or where others built on one.
4. Compare once more and keep the reports: a rollback is evidence too.
`
}
