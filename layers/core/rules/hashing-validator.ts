import { digestOf } from '../canonical-json.ts'
import { hashingSpecSha256 } from '../rulebooks.ts'
import type { Finding } from '../schemas/finding.ts'
import type { Plan } from '../schemas/plan.ts'
import { type Facts, failing, passing, type Validator } from './rule.ts'

const id = 'hashing-validator'
const fail = failing(id)

/** Rows will be digested as the hashing spec of this release says, and every planned table will be compared exactly once. */
export const hashingValidator: Validator = {
  id,
  run(plan, facts) {
    const findings = [...digestFindings(plan, facts), ...coverageFindings(plan), ...tableFindings(plan, facts)]
    if (findings.length > 0) return findings
    const encodings = [...new Set(plan.recon.tables.map((table) => table.encoding))].sort().join(' and ')
    const text = `All ${plan.tables.length} tables are digested with ${facts.hashingSpec.algorithm} in the ${encodings} row encoding, as hashing spec ${facts.hashingSpec.version} says.`
    return [passing(id, text)]
  },
}

function digestFindings(plan: Plan, facts: Facts): Finding[] {
  const planned = plan.rulebooks.hashing_spec_sha256
  if (planned === digestOf(facts.hashingSpec) && planned === hashingSpecSha256) return []
  const what = 'The plan was made with another hashing spec than this release has, so its digests could not be compared with anything.'
  return [fail('CRITICAL', '/rulebooks/hashing_spec_sha256', what, 'Compile the plan again with this release.')]
}

function coverageFindings(plan: Plan): Finding[] {
  const planned = new Set(plan.tables.map((table) => table.table_id))
  const compared = new Set<string>()
  const findings: Finding[] = []
  const remedy = 'Let the recon proposal name every planned table exactly once.'
  for (const { table_id } of plan.recon.tables) {
    if (!planned.has(table_id))
      findings.push(fail('CRITICAL', '/recon/tables', `${table_id} would be compared although it is not planned.`, remedy))
    if (compared.has(table_id)) findings.push(fail('CRITICAL', '/recon/tables', `${table_id} would be compared twice.`, remedy))
    compared.add(table_id)
  }
  for (const table of planned) {
    if (!compared.has(table)) findings.push(fail('CRITICAL', '/recon/tables', `${table} would be copied and never compared.`, remedy))
  }
  return findings
}

function tableFindings(plan: Plan, facts: Facts): Finding[] {
  const known = facts.hashingSpec.row_encodings.map((encoding) => encoding.id)
  const keyless = new Set(plan.tables.filter((table) => table.key === null).map((table) => table.table_id))
  return plan.recon.tables.flatMap((recon, at) => {
    const where = `/recon/tables/${at}`
    const findings: Finding[] = []
    if (!known.includes(recon.encoding)) {
      findings.push(
        fail(
          'CRITICAL',
          `${where}/encoding`,
          `${recon.table_id}: the hashing spec has no row encoding ${recon.encoding}.`,
          `Choose ${known.join(' or ')}.`,
        ),
      )
    }
    if (recon.encoding === 'native' && plan.source.system_type !== plan.target.system_type) {
      const what = `${recon.table_id}: the native row encoding is PostgreSQL's own, and the source is ${plan.source.system_type}.`
      findings.push(fail('CRITICAL', `${where}/encoding`, what, 'Choose the canonical row encoding.'))
    }
    if (recon.mode === 'ordered' && keyless.has(recon.table_id)) {
      findings.push(
        fail(
          'CRITICAL',
          `${where}/mode`,
          `${recon.table_id} has no key, so it cannot be compared in key order.`,
          'Choose the bucketed mode.',
        ),
      )
    }
    return findings
  })
}
