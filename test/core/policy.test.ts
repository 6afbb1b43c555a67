import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { digestOf } from '../../layers/core/canonical-json.ts'
import { isWaybillError } from '../../layers/core/errors.ts'
import { jsonSchemas } from '../../layers/core/json-schemas.ts'
import { changeInWords, policyChanges, stalePolicy } from '../../layers/core/policy-changes.ts'
import { readPolicy } from '../../layers/core/policy-reader.ts'
import { weaknessesOf } from '../../layers/core/policy-weakness.ts'
import { defaultPolicy } from '../../layers/core/rulebooks.ts'
import type { Policy } from '../../layers/core/schemas/policy.ts'

const text = (change: (policy: Record<string, never>) => void, space = 2): string => {
  const copy = structuredClone(defaultPolicy) as unknown as Record<string, never>
  change(copy)
  return JSON.stringify(copy, null, space)
}
const set = (path: string, value: unknown) => (policy: object) => {
  const steps = path.split('.')
  const last = steps.pop()!
  const holder = steps.reduce((at, step) => at[step] as Record<string, unknown>, policy as Record<string, unknown>)
  if (value === undefined) delete holder[last]
  else holder[last] = value
}
function faults(input: string | Uint8Array): readonly string[] {
  try {
    readPolicy(input)
  } catch (error) {
    if (isWaybillError(error) && error.code === 'BAD_INPUT') return error.details
    throw error
  }
  return []
}
const waivers = { role: 'engineering_manager', rules: ['tolerance-validator'], severities: ['ERROR'], max_days: 30 }

describe('a policy file', () => {
  it('is the same policy as JSON with any indentation, and as YAML', () => {
    for (const space of [0, 2, 4]) expect(readPolicy(text(() => {}, space))).toEqual(defaultPolicy)
    expect(readPolicy(JSON.stringify(defaultPolicy, null, '\t'))).toEqual(defaultPolicy)
    expect(readPolicy(`# ours\n${text(() => {})}`)).toEqual(defaultPolicy)
    expect(readPolicy(text(set('waivers', waivers))).waivers).toEqual(waivers)
    expect(Object.keys((jsonSchemas().policy as { properties: object }).properties)).toContain('waivers')
  })

  it('is refused with the line and column of every fault', () => {
    const lines = text((policy) => {
      set('plan_ttl_hours', 0)(policy)
      set('sampling.full_required', 'yes')(policy)
      set('pii.mask_requird', true)(policy)
      set('retention_days', undefined)(policy)
    }).split('\n')
    const found = faults(lines.join('\n'))
    const placeOf = (part: string, at = ': ') => {
      const line = lines.findIndex((each) => each.includes(part))
      return `line ${line + 1}, column ${lines[line]!.indexOf(at === '"' ? '"' : at) + (at === '"' ? 1 : at.length + 1)}`
    }
    expect(found).toHaveLength(4)
    expect(found).toContainEqual(expect.stringContaining(`${placeOf('plan_ttl_hours')}: plan_ttl_hours:`))
    expect(found).toContainEqual(`${placeOf('full_required')}: sampling.full_required: must be true or false, not text`)
    expect(found).toContainEqual(`${placeOf('mask_requird', '"')}: pii.mask_requird: there is no such field; did you mean "mask_required"?`)
    expect(found).toContainEqual(expect.stringContaining('retention_days: is missing'))
  })

  it.each([
    ['a tolerance that is no number', set('tolerances.max_absolute', 'a lot'), /tolerances.max_absolute: must be a decimal number/],
    ['a negative tolerance', set('tolerances.max_relative', '-1'), /tolerances.max_relative/],
    ['rows that may differ', set('tolerances.max_mismatched_rows', 3), /max_mismatched_rows: must be 0/],
    ['a warning above critical', set('bps.warning', 0.9), /bps.warning: is above critical/],
    ['a gate that needs nobody', set('approvals.PLANNED->EXECUTED', []), /approvals/],
    ['a gate left out', set('approvals.PLANNED->EXECUTED', undefined), /approvals.PLANNED->EXECUTED: is missing/],
    [
      'somebody who waives and approves',
      set('waivers', { ...waivers, role: 'security' }),
      /waivers.role: security also approves PLANNED->EXECUTED/,
    ],
    ['waivers of what is CRITICAL', set('waivers', { ...waivers, severities: ['CRITICAL'] }), /waivers.severities/],
    ['waivers of signatures', set('waivers', { ...waivers, rules: ['signed-plan-validator'] }), /waivers.rules/],
  ])('with %s is refused', (_, change, says) => {
    const found = faults(text(change))
    expect(found).toHaveLength(1)
    expect(found[0]).toMatch(says)
    expect(found[0]).toMatch(/^line \d+, column \d+: /)
  })

  it('that two readers could read differently is refused', () => {
    const body = text(() => {})
    expect(faults(body.replace('"version"', '"version": "1",\n  "version"'))[0]).toMatch(/line \d+.*twice/)
    expect(faults(body.replace('"version"', '"__proto__": {},\n  "version"'))[0]).toMatch(/line \d+/)
    expect(faults(body.replace('168', '99999999999999999999'))[0]).toMatch(/line \d+/)
    expect(faults(`${'['.repeat(100)}${']'.repeat(100)}`)[0]).toMatch(/nested deeper|policy is a mapping/)
    expect(faults('')[0]).toMatch(/policy/)
    expect(faults(Buffer.from([0xff, 0xfe]))[0]).toMatch(/UTF-8/)
    expect(faults('[]').join()).not.toMatch(/spec|migration_id/)
  })
})

describe('weak settings', () => {
  const says = (change: (policy: object) => void): string[] => {
    const weak = new Set(weaknessesOf(defaultPolicy).map((each) => each.says))
    return weaknessesOf(readPolicy(text(change))).flatMap((each) => (weak.has(each.says) ? [] : [`${each.field}: ${each.says}`]))
  }
  it.each([
    ['approvals.PLANNED->EXECUTED', ['security'], /One person alone lets data move: only security/],
    ['tolerances.max_absolute', '0.5', /differs by up to 0.5 may be excused/],
    ['tolerances.max_relative', '0.01', /differs by up to 0.01/],
    ['tolerances.max_time_ms', 5, /5 ms/],
    ['sampling.full_required', false, /a row outside it can differ unseen/],
    ['encryption.require_tls_outside_loopback', false, /unencrypted/],
    ['pii.mask_required', false, /unmasked/],
    ['pii.values_in_evidence', true, /cannot be erased/],
    ['pii.name_fragments', [], /none is found by its name/],
    ['clean_runs_required', 0, /no comparison after the first/],
    ['plan_ttl_hours', 2000, /2000 hours/],
    ['approval_ttl_hours', 500, /500 hours/],
    ['bps.critical', 0.9, /below 0.9/],
    ['retention_days', 7, /7 days/],
    ['waivers', waivers, /engineering_manager may waive findings of the tolerance-validator for up to 30 days/],
  ])('%s', (path, value, expected) => {
    const found = says(set(path, value))
    expect(found).toHaveLength(1)
    expect(found[0]).toMatch(expected)
    expect(found[0]!.startsWith(`${path}: `)).toBe(true)
  })

  it('go away when they are mended', () => {
    const fields = weaknessesOf(defaultPolicy).map(({ field }) => field)
    expect(fields).toEqual(['asking.passkey_roles', 'people', 'retention_days'])
    const mended = readPolicy(
      text((policy) => {
        set('asking', { passkey_roles: ['security'] })(policy)
        set('people', [{ role: 'security', holders: ['@example.com'] }])(policy)
        set('retention_days', 2557)(policy)
      }),
    )
    expect(weaknessesOf(mended)).toEqual([])
  })
})

describe('a changed policy', () => {
  const other = (change: (policy: object) => void): Policy => readPolicy(text(change))

  it('names exactly the fields that changed, from what to what', () => {
    const after = other((policy) => {
      set('version', '2026.2')(policy)
      set('approvals.PLANNED->EXECUTED', ['data_owner', 'security', 'dba'])(policy)
      set('waivers', waivers)(policy)
    })
    expect(policyChanges(defaultPolicy, after).map(changeInWords)).toEqual([
      'approvals.PLANNED->EXECUTED from data_owner, security to data_owner, security, dba',
      'version from 2026.1 to 2026.2',
      'waivers.max_days is new: 30',
      'waivers.role is new: engineering_manager',
      'waivers.rules is new: tolerance-validator',
      'waivers.severities is new: ERROR',
    ])
    expect(policyChanges(after, defaultPolicy).map(changeInWords)).toContain('waivers.max_days is gone; it was 30')
  })

  it('has changes exactly when its digest is another one', () => {
    const leaf = fc.record({
      ttl: fc.integer({ min: 1, max: 4 }),
      rows: fc.boolean(),
      absolute: fc.constantFrom('0', '0.5'),
      roles: fc.shuffledSubarray(['data_owner', 'security', 'dba'], { minLength: 1 }),
      waived: fc.boolean(),
    })
    const made = (of: { ttl: number; rows: boolean; absolute: string; roles: string[]; waived: boolean }) =>
      other((policy) => {
        set('plan_ttl_hours', of.ttl)(policy)
        set('sampling.full_required', of.rows)(policy)
        set('tolerances.max_absolute', of.absolute)(policy)
        set('approvals.PLANNED->EXECUTED', of.roles)(policy)
        if (of.waived) set('waivers', waivers)(policy)
      })
    fc.assert(
      fc.property(leaf, leaf, (a, b) => {
        const [one, two] = [made(a), made(b)]
        expect(policyChanges(one, two).length === 0).toBe(digestOf(one) === digestOf(two))
      }),
      { numRuns: 60 },
    )
  })

  it('explains why a plan is stale, and believes only the very policy it was made under', () => {
    const made = { version: defaultPolicy.version, sha256: digestOf(defaultPolicy) }
    expect(stalePolicy(made, defaultPolicy, null)).toEqual([])
    const after = other(set('plan_ttl_hours', 24))
    const [said] = stalePolicy(made, after, defaultPolicy)
    expect(said).toMatch(/changed: plan_ttl_hours from 168 to 24\. Plan again .*waybill resume/)
    const [unknown] = stalePolicy(made, after, other(set('plan_ttl_hours', 1)))
    expect(unknown).toMatch(/2026\.1 .*in force now\. Plan again/)
    expect(unknown).not.toMatch(/changed:/)
    expect(stalePolicy(made, other(set('version', 'next')), defaultPolicy)[0]).toMatch(/only its version changed/)
  })
})
