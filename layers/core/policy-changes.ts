import { canonicalJson, digestOf } from './canonical-json.ts'
import type { Policy } from './schemas/policy.ts'

/** One field that two policies disagree about; null where one of them has no such field. */
export type PolicyChange = { field: string; before: string | null; after: string | null }

/** The way forward for a plan that a policy left behind. */
export const PLAN_AGAIN = 'Plan again under the policy in force: "waybill resume" does it, and everybody is asked anew'

/** Every field in which two policies differ, in the order of their names; empty exactly when their digests are equal. */
export function policyChanges(before: Policy, after: Policy): PolicyChange[] {
  const old = new Map(fieldsOf(before, ''))
  const now = new Map(fieldsOf(after, ''))
  return [...new Set([...old.keys(), ...now.keys()])]
    .toSorted()
    .map((field) => ({ field, before: old.get(field) ?? null, after: now.get(field) ?? null }))
    .filter((change) => change.before !== change.after)
}

/** `plan_ttl_hours from 168 to 24` */
export function changeInWords({ field, before, after }: PolicyChange): string {
  if (before === null) return `${field} is new: ${after}`
  return after === null ? `${field} is gone; it was ${before}` : `${field} from ${before} to ${after}`
}

/**
 * Why a plan made under another policy than the one in force is stale, a sentence each; empty when it is not.
 * @param made what the plan says of its policy
 * @param under that policy itself, where it was kept; any other is not believed
 */
export function stalePolicy(made: { version: string; sha256: string }, inForce: Policy, under: Policy | null): string[] {
  if (made.sha256 === digestOf(inForce) && made.version === inForce.version) return []
  const head = `the plan was made under policy ${made.version} (${made.sha256.slice(0, 12)}…), and ${inForce.version} (${digestOf(inForce).slice(0, 12)}…) is in force now`
  const changes =
    under !== null && digestOf(under) === made.sha256 ? policyChanges(under, inForce).filter(({ field }) => field !== 'version') : null
  if (changes === null) return [`${head}. ${PLAN_AGAIN}`]
  const what = changes.length === 0 ? 'only its version changed' : `changed: ${changes.slice(0, 12).map(changeInWords).join('; ')}`
  const more = changes.length > 12 ? ` and ${changes.length - 12} more fields` : ''
  return [`${head}; ${what}${more}. ${PLAN_AGAIN}`]
}

/** Leaves of the document by path. A list is one value: the order of names does not matter to a person, and is shown as it stands. */
function fieldsOf(value: object, path: string): [string, string][] {
  return Object.entries(value).flatMap(([name, inner]: [string, unknown]) => {
    const field = path === '' ? name : `${path}.${name}`
    if (typeof inner === 'object' && inner !== null && !Array.isArray(inner)) return fieldsOf(inner, field)
    if (inner === undefined) return []
    return [[field, valueInWords(inner)] as [string, string]]
  })
}

function valueInWords(value: unknown): string {
  if (!Array.isArray(value)) return typeof value === 'string' ? value : canonicalJson(value)
  if (value.length === 0) return 'nothing'
  return value.map((item) => (typeof item === 'string' ? item : canonicalJson(item))).join(', ')
}
