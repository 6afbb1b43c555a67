import { createHmac } from 'node:crypto'
import type { Ports } from '../../layers/core/ports.ts'
import type { Policy } from '../../layers/core/schemas/policy.ts'

/**
 * How keys and values of differing rows may be shown. Unless the policy allows values in evidence, each becomes a keyed fingerprint: equal
 * values look equal, and nobody without the key can guess them back. NULL stays NULL: it names no one.
 */
export async function maskFor(deps: Pick<Ports, 'keys'>, policy: Policy): Promise<(value: string | null) => string | null> {
  if (policy.pii.values_in_evidence) return (value) => value
  const key = await deps.keys.mask()
  return (value) => (value === null ? null : `hmac:${createHmac('sha256', key).update(value, 'utf8').digest('hex').slice(0, 24)}`)
}
