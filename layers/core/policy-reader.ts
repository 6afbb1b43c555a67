import { z } from 'zod'
import { isWaybillError, WaybillError } from './errors.ts'
import { decimal } from './schemas/common.ts'
import { type GatedTransition, type Policy, policy } from './schemas/policy.ts'
import { issueSentences, printPath } from './spec-reader.ts'
import { readSpecText, type SpecPath, type SpecText } from './spec-text.ts'

const MAX_REPORTED = 20
const BARRIER: readonly GatedTransition[] = ['PLAN_DRAFTED->PLANNED', 'PLANNED->EXECUTED']

/**
 * Reads a policy from JSON or YAML. Every fault is named with line, column, path and what is allowed there.
 * @param name how the error calls the policy, such as its file
 * @throws BAD_INPUT; `details` lists every fault
 */
export function readPolicy(input: Uint8Array | string, name = 'The policy'): Policy {
  const text = textOf(input, name)
  const parsed = policy.safeParse(text.value)
  if (!parsed.success) {
    const schema = z.toJSONSchema(policy, { io: 'input' })
    throw refusal(
      name,
      parsed.error.issues.flatMap((issue) => issueSentences(issue, text, { schema, whole: 'the policy' })),
    )
  }
  const faults = policyFaults(parsed.data)
  if (faults.length > 0)
    throw refusal(
      name,
      faults.map(({ path, what }) => `${text.place(path)}: ${printPath(path, 'the policy')}: ${what}`),
    )
  return parsed.data
}

function textOf(input: Uint8Array | string, name: string): SpecText {
  try {
    return readSpecText(input)
  } catch (error) {
    if (!isWaybillError(error)) throw error
    throw refusal(
      name,
      error.details.map((detail) => detail.replace(/\b(a|the) spec\b/g, '$1 policy').replace(/, such as "migration_id.*$/, '')),
    )
  }
}

/** What a policy of the right shape must not say. */
function policyFaults(given: Policy): { path: SpecPath; what: string }[] {
  const faults: { path: SpecPath; what: string }[] = []
  for (const name of ['max_absolute', 'max_relative'] as const) {
    const value = given.tolerances[name]
    if (!decimal.safeParse(value).success || value.startsWith('-'))
      faults.push({ path: ['tolerances', name], what: 'must be a decimal number in text, not negative, such as "0.01"' })
  }
  if (given.tolerances.max_mismatched_rows !== 0)
    faults.push({
      path: ['tolerances', 'max_mismatched_rows'],
      what: 'must be 0: no number of differing rows is called equal. Allow a tolerance for a column instead',
    })
  if (given.bps.warning > given.bps.critical)
    faults.push({ path: ['bps', 'warning'], what: `is above critical (${given.bps.critical}); a warning comes first` })
  const role = given.waivers?.role
  for (const gate of BARRIER) {
    if (role !== undefined && given.approvals[gate].includes(role))
      faults.push({
        path: ['waivers', 'role'],
        what: `${role} also approves ${gate}; who waives a finding must not approve what has it. Name another role`,
      })
  }
  return faults
}

function refusal(name: string, faults: readonly string[]): WaybillError {
  const more = faults.length > 1 ? ` (and ${faults.length - 1} more)` : ''
  return new WaybillError('BAD_INPUT', `${name} cannot be used: ${faults[0]}${more}.`, { details: faults.slice(0, MAX_REPORTED) })
}
