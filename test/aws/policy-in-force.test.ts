import { describe, expect, it } from 'vitest'
import { awsPolicyInForce, refusalUnder } from '../../layers/aws/policy-in-force.ts'
import { readPolicy } from '../../layers/core/policy-reader.ts'
import { defaultPolicy } from '../../layers/core/rulebooks.ts'

describe('the policy in force', () => {
  it('is not asked for where the stack does not say so', async () => {
    expect(await awsPolicyInForce({})).toBeNull()
    expect(refusalUnder(null, defaultPolicy)).toBeNull()
  })

  it('lets code go on that carries the same, in whatever order its fields stand', () => {
    const same = readPolicy(JSON.stringify(Object.fromEntries(Object.entries(defaultPolicy).reverse())))
    expect(refusalUnder(same, defaultPolicy)).toBeNull()
  })

  it('stops code that carries another, whichever of them is stricter, and names both', () => {
    const changed = { ...defaultPolicy, version: '2027.1', plan_ttl_hours: defaultPolicy.plan_ttl_hours - 1 }
    for (const [inForce, carried] of [
      [changed, defaultPolicy],
      [defaultPolicy, changed],
      [{ ...defaultPolicy, version: 'of a name only' }, defaultPolicy],
    ] as const) {
      const refusal = refusalUnder(inForce, carried)
      expect(refusal?.code).toBe('PLAN_NOT_AUTHORISED')
      expect(refusal?.message).toContain(`under policy ${carried.version}`)
      expect(refusal?.message).toContain(`and ${inForce.version}`)
    }
  })
})
