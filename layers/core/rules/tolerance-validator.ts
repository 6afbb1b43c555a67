import type { Finding } from '../schemas/finding.ts'
import type { Plan } from '../schemas/plan.ts'
import type { Policy } from '../schemas/policy.ts'
import type { TableMapping } from '../schemas/proposal.ts'
import { readSqlType } from '../sql-type.ts'
import { exceeds } from '../tolerance/limit.ts'
import { type Tolerance, toleranceFault } from '../tolerance/request.ts'
import { failing, named, passing, type Validator } from './rule.ts'

const id = 'tolerance-validator'
const fail = failing(id)

const NUMBERS: readonly string[] = ['smallint', 'integer', 'bigint', 'numeric', 'real', 'double precision']
const TIMES: readonly string[] = ['date', 'time without time zone', 'timestamp without time zone', 'timestamp with time zone']

/** A tolerance is on a number or a time that no row is known by, is one that the comparison applies, and is not above the policy's. */
export const toleranceValidator: Validator = {
  id,
  run(plan, { policy }) {
    const findings: Finding[] = []
    let held = 0
    for (const [tableAt, recon] of plan.recon.tables.entries()) {
      const table = plan.tables.find((candidate) => candidate.table_id === recon.table_id)
      for (const [at, tolerance] of recon.tolerances.entries()) {
        held++
        const where = `/recon/tables/${tableAt}/tolerances/${at}`
        const name = `${recon.table_id}.${named(tolerance.column)}`
        const before = recon.tolerances.slice(0, at).some((other) => other.column === tolerance.column)
        const obstacle = before ? 'it has one already' : obstacleOf(tolerance, table, plan)
        if (obstacle !== null) {
          const remedy = 'Remove the tolerance. Have both sides hold the same value, or map the column with a transformation that gives it.'
          findings.push(fail('ERROR', where, `A tolerance is set for ${name}, and cannot be applied: ${obstacle}.`, remedy))
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
    const says =
      held === 0
        ? 'No tolerance is asked for: every value must be exactly equal'
        : `${held} ${held === 1 ? 'column is' : 'columns are'} held to a tolerance within policy ${policy.version}, and every other value must be exactly equal`
    return [passing(id, `${says}; the rollback threshold is not above the policy's.`)]
  },
}

/** Why the comparison could not hold this column to this tolerance; null when it can. */
function obstacleOf(tolerance: Tolerance, table: TableMapping | undefined, plan: Plan): string | null {
  const column = table?.columns.find((candidate) => candidate.target === tolerance.column)
  if (table === undefined || column === undefined) return 'the column is not planned'
  const fault = toleranceFault(tolerance)
  if (fault !== null) return `it ${fault}`
  if (plan.source.system_type !== 'POSTGRESQL') return 'files are compared exactly'
  if (table.key === null) return 'the table has no key, so nobody can say which value belongs to which'
  if (table.key.includes(tolerance.column)) return 'a key column is equal or it names another row'
  if (table.order_key === tolerance.column) return 'the sequence of the order key is compared exactly'
  const type = readSqlType(column.target_type)
  const kinds = tolerance.kind === 'time' ? TIMES : NUMBERS
  if (type === null || type.array || !kinds.includes(type.base))
    return `${column.target_type} is no ${tolerance.kind === 'time' ? 'date, time or timestamp' : 'number'}`
  return null
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
