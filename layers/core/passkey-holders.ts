import { canonicalKey } from './ecdsa.ts'
import type { ApprovalPredicate } from './schemas/governance.ts'
import { personOf } from './separation.ts'

/**
 * Under which address each approver counts. Threat: one person registers one passkey in two mailboxes and fills two roles with it; all
 * addresses that approved with one key count as one person, whoever they are said to belong to.
 *
 * @param reasons gets a sentence for each two people whom a passkey makes one
 */
export function passkeyHolders(statements: readonly ApprovalPredicate[], reasons: string[]): (approver: string) => string {
  const merged = new Map<string, string>()
  const holderOf = (person: string): string => {
    const above = merged.get(person)
    return above === undefined ? person : holderOf(above)
  }
  const owners = new Map<string, string>()
  for (const { approver, passkey } of statements) {
    if (passkey === undefined) continue
    const key = keyOf(passkey.public_key)
    const owner = owners.get(key) ?? approver
    owners.set(key, owner)
    const [mine, first] = [holderOf(personOf(approver)), holderOf(personOf(owner))]
    if (mine === first) continue
    merged.set(mine, first)
    reasons.push(`${owner} and ${approver} approved with one and the same passkey, so they count as one person`)
  }
  return (approver) => (merged.has(personOf(approver)) ? holderOf(personOf(approver)) : approver)
}

/** One spelling per key: neither line ends in a PEM nor the way a point is written make another key. What is no key is only itself, and counts nowhere. */
function keyOf(pem: string): string {
  try {
    return canonicalKey(pem).export({ type: 'spki', format: 'der' }).toString('base64')
  } catch {
    return pem
  }
}
