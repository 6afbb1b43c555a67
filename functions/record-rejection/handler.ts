import { readEvent, type TaskEvent, type TaskResult, taskEvent } from '../../layers/core/flow/event.ts'
import type { Ports } from '../../layers/core/ports.ts'
import { advance, type ProjectDeps } from '../../layers/core/project-service.ts'

type Deps = ProjectDeps & Pick<Ports, 'projects' | 'approvals'>

/** Somebody said no: who, in which role, and why. Nothing is undone by itself. The project is REJECTED. */
export function createHandler(deps: Deps) {
  return async (input: TaskEvent): Promise<TaskResult> => {
    const { project_id, run_id } = readEvent(taskEvent, input)
    const rejections = (await deps.approvals.byProject(project_id))
      .filter((request) => request.decision === 'REJECTED')
      .sort((a, b) => ((a.decided_at ?? '') < (b.decided_at ?? '') ? -1 : 1))
    const last = rejections.at(-1)
    await advance(deps, project_id, {
      to: 'REJECTED',
      actor: last?.approver ?? 'waybill/record-rejection',
      action: 'PROJECT_REJECTED',
      subject_sha256: last?.subject.sha256 ?? null,
      details: last
        ? { role: last.role, reason: last.reason, approval_id: last.approval_id, transition: last.transition ?? 'decisions' }
        : {},
    })
    return { project_id, run_id }
  }
}
