import type { Role } from './schemas/common.ts'
import type { Policy } from './schemas/policy.ts'

/**
 * Whether the policy lets this address act in this role. Only case is folded: where letting somebody in is decided, an alias that may be
 * another person's mailbox is another person.
 */
function mayHold(policy: Pick<Policy, 'people'>, role: Role, email: string): boolean {
  const listed = policy.people?.filter((each) => each.role === role) ?? []
  if (listed.length === 0) return true
  const address = email.toLowerCase()
  const domain = address.slice(address.lastIndexOf('@'))
  return listed.some(({ holders }) => holders.some((holder) => [address, domain].includes(holder.toLowerCase())))
}

/** A sentence about somebody who may not; null for somebody who may. */
export function roleFault(policy: Pick<Policy, 'people'>, role: Role, email: string): string | null {
  return mayHold(policy, role, email) ? null : `the policy does not let ${email} act as ${role}`
}
