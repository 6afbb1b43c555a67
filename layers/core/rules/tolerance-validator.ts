import { decimal } from '../schemas/common.ts'
import type { Finding } from '../schemas/finding.ts'
import type { Policy } from '../schemas/policy.ts'
import type { TableRecon } from '../schemas/proposal.ts'
import { failing, named, passing, type Validator } from './rule.ts'

const id = 'tolerance-validator'
const fail = failing(id)

type Tolerance = TableRecon['tolerances'][number]

/** No difference is excused: a tolerance is refused until the reconciliation applies it, and one above the policy always. */
export const toleranceValidator: Validator = {
  id,
  run(plan, { policy }) {
    const findings: Finding[] = []
    for (const [tableAt, recon] of plan.recon.tables.entries()) {
      const columns = plan.tables.find((table) => table.table_id === recon.table_id)?.columns.map((column) => column.target) ?? []
      for (const [at, tolerance] of recon.tolerances.entries()) {
        const where = `/recon/tables/${tableAt}/tolerances/${at}`
        const name = `${recon.table_id}.${named(tolerance.column)}`
        // The reconciliation knows equal and different only. Signing a plan with a tolerance would promise what nothing does.
        findings.push(
          fail(
            'ERROR',
            where,
            `The plan sets a tolerance for ${name}, and no tolerance is applied: the reconciliation reports every difference.`,
            'Remove the tolerance. Have both sides hold the same value, or map the column with a transformation that gives it.',
          ),
        )
        if (!columns.includes(tolerance.column)) {
          findings.push(
            fail('ERROR', `${where}/column`, `A tolerance is set for ${name}, which is not planned.`, 'Remove it or correct the column.'),
          )
        }
        const most = limitOf(policy, tolerance)
        if (!exceeds(tolerance.value, most)) continue
        const what = `${name} would excuse ${tolerance.kind} differences up to ${tolerance.value}${tolerance.kind === 'time' ? ' ms' : ''}; policy ${policy.version} allows ${most}.`
        findings.push(fail('CRITICAL', `${where}/value`, what, 'Lower the tolerance, or have the policy changed by those who own it.'))
      }
    }
    const threshold = plan.rollback.bps_rollback_threshold
    if (threshold > policy.bps.critical) {
      const what = `The plan rolls back at a breakdown point score of ${threshold}; policy ${policy.version} calls ${policy.bps.critical} critical already.`
      findings.push(fail('ERROR', '/rollback/bps_rollback_threshold', what, `Set the threshold to ${policy.bps.critical} or lower.`))
    }
    if (findings.length > 0) return findings
    return [
      passing(id, "No tolerance is asked for: every value must be exactly equal, and the rollback threshold is not above the policy's."),
    ]
  },
}

function limitOf(policy: Policy, tolerance: Tolerance): string {
  switch (tolerance.kind) {
    case 'absolute':
      return policy.tolerances.max_absolute
    case 'relative':
      return policy.tolerances.max_relative
    case 'time':
      return String(policy.tolerances.max_time_ms)
  }
}

/** True when `value` is above `limit`, negative, or when either is no plain decimal number: what cannot be compared is not within. */
export function exceeds(value: string, limit: string): boolean {
  if (!decimal.safeParse(value).success || !decimal.safeParse(limit).success || value.startsWith('-')) return true
  const decimals = Math.max(fraction(value).length, fraction(limit).length)
  return whole(value, decimals) > whole(limit, decimals)
}

function fraction(text: string): string {
  return text.split('.')[1] ?? ''
}

function whole(text: string, decimals: number): bigint {
  return BigInt(`${text.split('.')[0]}${fraction(text).padEnd(decimals, '0')}`)
}
