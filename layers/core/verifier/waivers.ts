import { canonicalJson } from '../canonical-json.ts'
import { sha256 } from '../digest.ts'
import type { Finding } from '../schemas/finding.ts'
import type { ApprovalPredicate, PlanPredicate } from '../schemas/governance.ts'
import { samePerson } from '../separation.ts'
import { findingId, type SignedWaiver, waivedFindings, waiverFault, waiversInShort } from '../waivers.ts'
import type { Contents } from './contents.ts'
import type { Faults } from './pack-reader.ts'

/**
 * The findings of the signed plan that somebody took responsibility for as the policy in the pack allows, at the moment it was signed.
 * What the findings and the signature say about waivers must be what follows from the statements; a waiver that does not count, or that
 * nobody needed, may lie in the pack and excuses nothing.
 */
export function waivedInPack(
  contents: Contents,
  blocking: readonly Finding[],
  planSha256: string,
  said: PlanPredicate,
  faults: Faults,
): Map<string, SignedWaiver> {
  const { waivers, policy, plan, findings, approvals } = contents
  for (const { path, statement, predicate } of waivers) {
    const [subject, ...more] = statement.subject
    if (more.length > 0 || subject?.digest.sha256 !== predicate.plan_sha256) faults.add(path, 'is about something other than its subject')
    if (findingId(predicate.finding) !== predicate.finding_id) faults.add(path, 'names another finding than the one it holds')
    if (!path.endsWith(`/${predicate.waiver_id}.dsse.json`)) faults.add(path, 'is not named after its waiver')
  }
  const listed = findings?.value.waived ?? []
  if (policy === null || plan === null) return new Map()
  const about = {
    policy: policy.value,
    projectId: plan.value.project_id,
    planSha256,
    author: plan.value.author,
    now: new Date(said.signed_at),
  }
  const named = waivers
    .map(({ bytes, predicate, path }) => ({ sha256: sha256(bytes), predicate, path }))
    .filter((waiver) => listed.some((each) => each.waiver_sha256 === waiver.sha256))
  const subjects = [planSha256, ...(contents.signedPlan === null ? [] : [sha256(contents.signedPlan.bytes)])]
  for (const waiver of named) {
    const fault = waiverFault(waiver, about)
    if (fault !== null) faults.add(waiver.path, `does not count: ${fault}`)
    const both = approvals.find(
      ({ predicate }) =>
        predicate.decision === 'APPROVED' && isAbout(predicate, subjects) && samePerson(predicate.approver, waiver.predicate.approver),
    )
    if (both !== undefined) faults.add(waiver.path, `was given by somebody who approved the plan as well (${both.predicate.role})`)
  }
  const counting = waivedFindings(blocking, named, about)
  const follows = [...counting].map(([finding_id, waiver]) => ({ finding_id, waiver_sha256: waiver.sha256 }))
  if (canonicalJson(follows) !== canonicalJson(listed))
    faults.add('plan/findings.json', 'say that other findings were waived than the waivers do')
  if (canonicalJson(waiversInShort([...counting.values()]) ?? null) !== canonicalJson(said.waivers ?? null))
    faults.add('plan/signed_plan.dsse.json', 'the signature says something else about waivers than the waivers do')
  return counting
}

/** Whether an approval is of this plan: what came before its execution can be of an earlier one. */
function isAbout({ transition, subject_sha256 }: ApprovalPredicate, subjects: readonly string[]): boolean {
  return (transition !== 'PLAN_DRAFTED->PLANNED' && transition !== 'PLANNED->EXECUTED') || subjects.includes(subject_sha256)
}
