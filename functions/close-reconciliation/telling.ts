import { nightMail } from '../../layers/core/flow/night-mail.ts'
import { specOf } from '../../layers/core/flow/project-artifacts.ts'
import { record } from '../../layers/core/ledger.ts'
import type { Ports } from '../../layers/core/ports.ts'
import type { Role } from '../../layers/core/schemas/common.ts'
import type { NightRecord } from '../../layers/core/schemas/night.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'

export type TellingDeps = Pick<Ports, 'artifacts' | 'audit' | 'clock' | 'notifier'>

/** Who must know that source and target are not known to be equal any more. */
const TOLD: readonly Role[] = ['data_owner', 'qa_lead']

/**
 * Mails what a night found, unless it was clean: to the plan's author, the data owner and the QA lead. Whoever was told is entered, so that a
 * retry mails only those who were not; a crash between mail and entry mails one person twice, which is better than nobody.
 */
export async function tellNight(deps: TellingDeps, project: ProjectRecord, night: NightRecord): Promise<void> {
  if (night.result === 'clean') return
  const { approvers } = await specOf(deps.artifacts, project)
  const people = new Set([project.author, ...approvers.filter(({ role }) => TOLD.includes(role)).map(({ email }) => email)])
  const chain = await deps.audit.read(project.project_id)
  const isTold = (email: string) =>
    chain.some(({ action, details }) => action === 'NIGHT_TOLD' && details.told === email && details.opened_at === night.opened_at)
  for (const email of people) {
    if (isTold(email)) continue
    await deps.notifier.send(nightMail(project, night, email))
    await record(deps, project.project_id, {
      actor: 'waybill/close-reconciliation',
      action: 'NIGHT_TOLD',
      details: { night: night.night, run_id: night.run_id, opened_at: night.opened_at, result: night.result, told: email },
    })
  }
}
