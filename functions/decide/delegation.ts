import { mayDelegate } from '../../layers/core/approvals.ts'
import { isWaybillError } from '../../layers/core/errors.ts'
import { approvalKey } from '../../layers/core/flow/project-artifacts.ts'
import type { Ports } from '../../layers/core/ports.ts'
import { email as emailSchema } from '../../layers/core/schemas/common.ts'
import type { ApprovalRequest } from '../../layers/core/schemas/governance.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'
import { barredFromJoining, policyOfRequest } from '../work/separation-of-duties.ts'
import type { SignedPolicyDeps } from '../work/signed-policy.ts'
import { handedOn, type InvitingDeps, invite } from './invitation.ts'

type Deps = SignedPolicyDeps & InvitingDeps & Pick<Ports, 'approvals' | 'ids'>

/**
 * Hands a request on: the old link is dead and the new person is asked, in one write. The delegate decides in their own name; who handed on
 * to whom stands in the signed approval.
 * @returns why not, in words, or null when it was handed on
 */
export async function handOn(deps: Deps, request: ApprovalRequest, project: ProjectRecord, to: string): Promise<string | null> {
  const policy = await policyOfRequest(deps, project, request)
  if (!mayDelegate(policy.asking, request)) return 'The policy does not let this request be handed on (any further).'
  const address = emailSchema.safeParse(to)
  if (!address.success) return 'Write one e-mail address, such as name@example.org.'
  const barred = await barredFromJoining(deps, request, project, address.data)
  if (barred !== null) return barred
  // A decision whose statement is stored stands, also where the process that stored it has not come to the next write.
  if ((await deps.artifacts.find(approvalKey(request.project_id, request.approval_id))) !== null)
    return 'It was decided, or handed on, at the same moment.'
  const now = deps.clock.now().toISOString()
  const closed: ApprovalRequest = { ...request, status: 'DECIDED', decision: 'DELEGATED', decided_at: now }
  const next: ApprovalRequest = {
    ...request,
    approval_id: deps.ids.next('a'),
    approver: address.data,
    created_at: now,
    delegated_by: [...(request.delegated_by ?? []), request.approver],
  }
  try {
    await deps.approvals.decide(closed, next)
  } catch (error) {
    if (isWaybillError(error) && error.code === 'CONFLICT') return 'It was decided, or handed on, at the same moment.'
    throw error
  }
  await invite(deps, project, handedOn(request, next))
  return null
}
