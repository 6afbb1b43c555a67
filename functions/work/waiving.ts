import { checkLink, type LinkFields, linkToken } from '../../layers/core/approval-link.ts'
import { getJson } from '../../layers/core/artifacts.ts'
import { digestOf } from '../../layers/core/canonical-json.ts'
import { isWaybillError, WaybillError } from '../../layers/core/errors.ts'
import { waiverCodeMail } from '../../layers/core/flow/plan-mail.ts'
import { artifactJson, planOf, specOf } from '../../layers/core/flow/project-artifacts.ts'
import { JSON_TYPE, type StoringDeps, storeJsonOnce, storeOnce } from '../../layers/core/flow/storing.ts'
import { record } from '../../layers/core/ledger.ts'
import type { ChecksMacs, MakesMacs, Ports } from '../../layers/core/ports.ts'
import { blocks } from '../../layers/core/rules/index.ts'
import { type Finding, findings as findingsSchema } from '../../layers/core/schemas/finding.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'
import { keptWaiverRequest, type WaiverPredicate, type WaiverRequest } from '../../layers/core/schemas/waiver.ts'
import { samePerson } from '../../layers/core/separation.ts'
import { PREDICATES, signStatement, statementOf } from '../../layers/core/statement.ts'
import { findingId, notWaivable, readWaiver, waiverFault } from '../../layers/core/waivers.ts'
import { waiversPrefix } from './project-waivers.ts'

type SigningDeps = StoringDeps & Pick<Ports, 'audit' | 'ids' | 'projects' | 'policy' | 'signers' | 'trust'>
export type WaivingDeps = SigningDeps & Pick<Ports, 'notifier'> & MakesMacs<'waiverLink'> & ChecksMacs<'waiverLink'>

/** One finding that keeps the plan from being signed; `barred` says why nobody may waive it, null where somebody may. */
export type OpenFinding = { finding_id: string; finding: Finding; barred: string | null }

const HOUR_MS = 3_600_000
/** Codes that say no. Another one says that it could not be told, which is nobody's refusal. */
const REFUSALS: ReadonlySet<string> = new Set(['APPROVAL_REFUSED', 'APPROVAL_EXPIRED', 'ILLEGAL_TRANSITION'])
/** How long the code in the mail is good for. */
const CODE_HOURS = 72

/** What keeps the newest plan of a project from being signed. @throws NOT_FOUND while no plan was validated */
export async function openFindings(deps: Pick<WaivingDeps, 'artifacts' | 'policy'>, project: ProjectRecord): Promise<OpenFinding[]> {
  const { findings } = await artifactJson(deps.artifacts, project, 'findings', findingsSchema)
  return findings.filter(blocks).map((finding) => ({ finding_id: findingId(finding), finding, barred: notWaivable(finding, deps.policy) }))
}

/**
 * Asks the one person whom the spec names for the policy's role to take responsibility for a finding. Asking changes nothing: the mail
 * holds a code that is bound to the finding, the plan, the reason and the time, and only with it the waiver is signed.
 * @throws APPROVAL_REFUSED where policy or spec let nobody do it, ILLEGAL_TRANSITION for a plan that is signed already, NOT_FOUND
 */
export async function askForWaiver(
  deps: WaivingDeps,
  project: ProjectRecord,
  wanted: { findingId: string; reason: string; days: number },
): Promise<WaiverRequest> {
  drafted(project)
  const found = (await openFindings(deps, project)).find((each) => each.finding_id === wanted.findingId)
  if (found === undefined)
    throw new WaybillError(
      'NOT_FOUND',
      `The newest plan of ${project.project_id} has no open finding ${wanted.findingId}. List them with: waybill waive ${project.project_id}`,
    )
  if (found.barred !== null)
    throw new WaybillError('APPROVAL_REFUSED', `This finding cannot be waived: ${found.barred}. What helps: ${found.finding.remedy}`)
  const { role, email, maxDays } = await personToAsk(deps, project)
  if (wanted.days > maxDays)
    throw new WaybillError(
      'APPROVAL_REFUSED',
      `A waiver may last ${maxDays} days under policy ${deps.policy.version}; ${wanted.days} were asked for.`,
    )
  const now = deps.clock.now()
  const plan = project.artifacts.migration_plan?.sha256 ?? ''
  const content = {
    project_id: project.project_id,
    plan_sha256: plan,
    finding_id: found.finding_id,
    finding: found.finding,
    role,
    approver: email,
    reason: wanted.reason,
    expires_at: new Date(now.getTime() + wanted.days * 24 * HOUR_MS).toISOString(),
  }
  const request: WaiverRequest = { waiver_id: `w-${digestOf(content).slice(0, 32)}`, ...content }
  const kept = {
    schema: 'waybill/waiver-request/v1' as const,
    request,
    code_expires_at: new Date(now.getTime() + CODE_HOURS * HOUR_MS).toISOString(),
  }
  await storeJsonOnce(deps, requestKey(request), () => kept)
  await record(deps, project.project_id, {
    actor: project.author,
    action: 'WAIVER_REQUESTED',
    subject_sha256: plan,
    details: {
      waiver_id: request.waiver_id,
      finding_id: request.finding_id,
      role,
      approver: email,
      reason: request.reason,
      until: request.expires_at,
    },
  })
  const code = await linkToken(deps.macMakers.waiverLink, codeFields(request, kept.code_expires_at))
  await deps.notifier.send(waiverCodeMail(project, request, code, kept.code_expires_at))
  return request
}

/**
 * Signs what was asked for, with the code from the mail. COMMIT POINT: the statement under its write-once key.
 * @throws APPROVAL_REFUSED, APPROVAL_EXPIRED, NOT_FOUND, ILLEGAL_TRANSITION; each refusal is audited
 */
export async function giveWaiver(deps: WaivingDeps, project: ProjectRecord, waiverId: string, code: string): Promise<WaiverPredicate> {
  const pointer = await deps.artifacts.find(`projects/${project.project_id}/waiver_requests/${waiverId}.json`)
  if (pointer === null) throw new WaybillError('NOT_FOUND', `Nobody was asked for a waiver ${waiverId} in ${project.project_id}.`)
  const { request, code_expires_at } = await getJson(deps.artifacts, pointer, keptWaiverRequest)
  try {
    await checkLink(deps.macCheckers.waiverLink, codeFields(request, code_expires_at), code, deps.clock.now())
    drafted(project)
    if (request.project_id !== project.project_id || request.plan_sha256 !== project.artifacts.migration_plan?.sha256)
      throw new WaybillError(
        'APPROVAL_REFUSED',
        'The plan was made again since this was asked, so the waiver would be about another plan. Ask again.',
      )
    const person = await personToAsk(deps, project)
    if (person.role !== request.role || !samePerson(person.email, request.approver))
      throw new WaybillError('APPROVAL_REFUSED', 'The policy or the spec now name another person for this. Ask again.')
  } catch (error) {
    if (isWaybillError(error) && REFUSALS.has(error.code)) await refusedWaiver(deps, request, error.message)
    throw error
  }
  return signWaiver(deps, project, request, { identified_by: 'invited-address' })
}

/**
 * Signs a waiver for whoever was seen to be the person asked. COMMIT POINT: the statement under its write-once key; called again for the
 * same request it completes what a crash left and keeps what was signed first.
 * @throws APPROVAL_REFUSED when it would not count; audited
 */
export async function signWaiver(
  deps: SigningDeps,
  project: ProjectRecord,
  request: WaiverRequest,
  identified: Pick<WaiverPredicate, 'identified_by' | 'oidc'>,
): Promise<WaiverPredicate> {
  const predicate: WaiverPredicate = {
    ...request,
    waived_at: deps.clock.now().toISOString(),
    ...identified,
    salt: deps.ids.next('s'),
  }
  const subject = [{ name: 'migration_plan.json', sha256: request.plan_sha256 }]
  const key = `${waiversPrefix(project.project_id)}${request.waiver_id}.dsse.json`
  const stored = await storeOnce(deps, key, JSON_TYPE, async () => {
    return (await signStatement(deps.signers.approval, statementOf({ predicateType: PREDICATES.waiver, subject, predicate }))).bytes
  })
  const waiver = readWaiver(await deps.artifacts.get(stored), deps.trust)
  const about = {
    policy: deps.policy,
    projectId: project.project_id,
    planSha256: request.plan_sha256,
    author: project.author,
    now: deps.clock.now(),
  }
  const fault = waiver === null ? 'its signature does not hold' : waiverFault(waiver, about)
  if (waiver === null || fault !== null) {
    await refusedWaiver(deps, request, fault ?? '')
    throw new WaybillError('APPROVAL_REFUSED', `The waiver does not count: ${fault}.`)
  }
  const chain = await deps.audit.read(project.project_id)
  if (!chain.some((entry) => entry.action === 'WAIVER_SIGNED' && entry.details.waiver_sha256 === waiver.sha256)) {
    await record(deps, project.project_id, {
      actor: request.approver,
      action: 'WAIVER_SIGNED',
      subject_sha256: request.plan_sha256,
      details: {
        waiver_id: request.waiver_id,
        finding_id: request.finding_id,
        role: request.role,
        until: request.expires_at,
        waiver_sha256: waiver.sha256,
      },
    })
  }
  return waiver.predicate
}

/** True while the plan waits for its signature, also after a run that failed. */
export function isDrafted(project: ProjectRecord): boolean {
  return (project.state === 'FAILED' ? project.failed_from : project.state) === 'PLAN_DRAFTED'
}

/** Findings are waived while the plan waits for its signature; afterwards the signature says what was waived. */
function drafted(project: ProjectRecord): void {
  if (isDrafted(project)) return
  throw new WaybillError('ILLEGAL_TRANSITION', `Findings are waived before a plan is signed; ${project.project_id} is ${project.state}.`)
}

/** The one person who may waive findings of this plan. @throws APPROVAL_REFUSED when the policy has no waivers, or the spec names nobody who may give one */
export async function personToAsk(deps: Pick<WaivingDeps, 'policy' | 'artifacts'>, project: ProjectRecord) {
  const { waivers } = deps.policy
  if (waivers === undefined) throw new WaybillError('APPROVAL_REFUSED', `Policy ${deps.policy.version} lets nobody waive a finding.`)
  const { approvers } = await specOf(deps.artifacts, project)
  const named = approvers.find((each) => each.role === waivers.role)
  if (named === undefined)
    throw new WaybillError(
      'APPROVAL_REFUSED',
      `The policy lets ${waivers.role} waive findings, and the spec names nobody for it. Add one under "approvers" and start again.`,
    )
  const { author } = await planOf(deps.artifacts, project)
  if (samePerson(named.email, author))
    throw new WaybillError('APPROVAL_REFUSED', 'The spec names the author for this role, and nobody waives findings of their own plan.')
  if (approvers.some((each) => each.role !== waivers.role && samePerson(each.email, named.email)))
    throw new WaybillError(
      'APPROVAL_REFUSED',
      `${named.email} has another role in this migration too; who waives a finding has no other say in it.`,
    )
  return { role: waivers.role, email: named.email, maxDays: waivers.max_days }
}

/** An approval link is bound to an approval id; ids of waivers begin otherwise and stand for no approval, so neither opens the other's door. */
function codeFields(request: WaiverRequest, codeExpiresAt: string): LinkFields {
  const { waiver_id, approver, role } = request
  return { approval_id: waiver_id, approver, role, subject_sha256: digestOf(request), transition: null, expires_at: codeExpiresAt }
}

const requestKey = (request: WaiverRequest) => `projects/${request.project_id}/waiver_requests/${request.waiver_id}.json`

async function refusedWaiver(deps: Pick<WaivingDeps, 'audit' | 'clock'>, request: WaiverRequest, why: string): Promise<void> {
  await record(deps, request.project_id, {
    actor: request.approver,
    action: 'WAIVER_REFUSED',
    subject_sha256: request.plan_sha256,
    details: { waiver_id: request.waiver_id, finding_id: request.finding_id, why },
  })
}
