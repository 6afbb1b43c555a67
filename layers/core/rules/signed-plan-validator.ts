import { digestOf } from '../canonical-json.ts'
import { isWaybillError } from '../errors.ts'
import { leftBehind } from '../left-behind.ts'
import { isShippedArchetype, typeCoercionSha256 } from '../rulebooks.ts'
import type { Finding } from '../schemas/finding.ts'
import { planPredicate } from '../schemas/governance.ts'
import type { Plan } from '../schemas/plan.ts'
import { openPredicate } from '../statement.ts'
import { type Facts, failing, named, passing, type Validator } from './rule.ts'

const id = 'signed-plan-validator'
const fail = failing(id)
const AGAIN = 'Compile the plan again.'

/** The plan hangs together, is fresh, and is aligned with the policy in force; its signature holds, once there is one. */
export const signedPlanValidator: Validator = {
  id,
  run(plan, facts) {
    const findings = [
      ...structure(plan),
      ...leftOut(plan, facts),
      ...freshness(plan, facts),
      ...alignment(plan, facts),
      ...signature(plan, facts),
    ]
    if (findings.some((finding) => finding.severity !== 'WARNING')) return findings
    const signed = facts.signed === null ? 'it is not signed yet' : 'its signature holds under the trusted key'
    const text = `Plan version ${plan.plan_version} hangs together, is valid until ${plan.expires_at} under policy ${plan.policy.version}, and ${signed}.`
    return [...findings, passing(id, text)]
  },
}

function structure(plan: Plan): Finding[] {
  const tables = plan.tables.map((table) => table.table_id)
  const known = new Set(tables)
  const steps = stepsByTable(plan)
  const findings: Finding[] = [
    ...doubles(tables).map((table) => fail('CRITICAL', '/tables', `The table id ${table} stands twice.`, AGAIN)),
    ...doubles(plan.steps.map((step) => step.step_id)).map((step) =>
      fail('CRITICAL', '/steps', `The step id ${step} stands twice.`, AGAIN),
    ),
    ...doubles(plan.tables.map((table) => JSON.stringify([table.target.schema, table.target.name]))).map((target) =>
      fail('CRITICAL', '/tables', `Two tables would be written to ${target}.`, 'Give each table a target of its own.'),
    ),
    ...plan.steps
      .filter((step) => !known.has(step.table_id))
      .map((step) => fail('CRITICAL', '/steps', `The step ${step.step_id} is about ${step.table_id}, which is not planned.`, AGAIN)),
  ]
  for (const [at, table] of plan.tables.entries()) {
    const where = `/tables/${at}`
    const columns = table.columns.map((column) => column.target)
    for (const column of doubles(columns)) {
      findings.push(
        fail('CRITICAL', where, `${table.table_id} has the column ${named(column)} twice.`, 'Give each column a name of its own.'),
      )
    }
    const used = [
      ...(table.key ?? []),
      ...(table.order_key === null ? [] : [table.order_key]),
      ...table.foreign_keys.flatMap((key) => key.columns),
    ]
    for (const column of new Set(used.filter((name) => !columns.includes(name)))) {
      findings.push(fail('CRITICAL', where, `${table.table_id} uses the column ${named(column)} in a key, and does not have it.`, AGAIN))
    }
    const { create, copies } = steps.get(table.table_id) ?? { create: -1, copies: [] }
    if (copies.length !== 1) {
      findings.push(fail('CRITICAL', '/steps', `${table.table_id} is copied in ${copies.length} steps instead of one.`, AGAIN))
    } else if (create > (copies[0] ?? 0)) {
      findings.push(fail('CRITICAL', '/steps', `${table.table_id} would be copied before it is created.`, AGAIN))
    }
  }
  return findings
}

/** Approvers must see what is not moved: a list that the catalog contradicts would hide columns from them. */
function leftOut(plan: Plan, { catalog }: Facts): Finding[] {
  if (catalog === null || digestOf(catalog) !== plan.source.catalog_sha256) return []
  if (digestOf(leftBehind(plan.tables, catalog)) === digestOf(plan.left_behind)) return []
  return [fail('CRITICAL', '/left_behind', 'The plan names other columns as left behind than its tables leave.', AGAIN)]
}

function freshness(plan: Plan, { policy, now }: Facts): Finding[] {
  const expires = Date.parse(plan.expires_at)
  const lasts = expires - Date.parse(plan.created_at)
  const findings: Finding[] = []
  if (!(now.getTime() < expires)) findings.push(fail('CRITICAL', '/expires_at', `The plan expired at ${plan.expires_at}.`, AGAIN))
  if (!(lasts > 0 && lasts <= policy.plan_ttl_hours * 3_600_000)) {
    const what = `The plan would be valid for ${lasts / 3_600_000} hours; policy ${policy.version} allows ${policy.plan_ttl_hours}.`
    findings.push(fail('ERROR', '/expires_at', what, AGAIN))
  }
  return findings
}

function alignment(plan: Plan, facts: Facts): Finding[] {
  const { policy } = facts
  const findings: Finding[] = []
  if (plan.policy.version !== policy.version || plan.policy.sha256 !== digestOf(policy)) {
    const what = `The plan was made under policy ${named(plan.policy.version)} (${plan.policy.sha256.slice(0, 12)}…); in force is ${policy.version} (${digestOf(policy).slice(0, 12)}…).`
    findings.push(fail('CRITICAL', '/policy', what, AGAIN))
  }
  const coercion = plan.rulebooks.type_coercion_sha256
  if (coercion !== digestOf(facts.typeCoercion) || coercion !== typeCoercionSha256) {
    findings.push(
      fail(
        'CRITICAL',
        '/rulebooks/type_coercion_sha256',
        'The plan was made with another type coercion rulebook than this release has.',
        AGAIN,
      ),
    )
  }
  if (!isShippedArchetype(plan.archetype.sha256)) {
    const what = `The plan was made from another archetype ${plan.archetype.id} than this release has.`
    findings.push(fail('CRITICAL', '/archetype', what, AGAIN))
  }
  if (policy.encryption.require_tls_outside_loopback) findings.push(...withoutTls(plan, policy.version))
  return findings
}

/**
 * Where TLS is off, the server must be on the machine that connects. The plan holds no host, only where the secret lies, so the connector
 * refuses any other host when it connects. What can be said before: workers that read a cloud secret store have no server on their machine.
 */
function withoutTls(plan: Plan, policyVersion: string): Finding[] {
  return (['source', 'target'] as const).flatMap((side) => {
    const { connection, system_type: systemType } = plan[side]
    if (connection === null || connection.tls_enabled || systemType !== 'POSTGRESQL') return []
    const onThisMachine = /^(env|file):\/\//.test(connection.secret_ref)
    const what = `The connection to the ${side} has TLS switched off. Policy ${policyVersion} allows that only to a server on the same machine (loopback)`
    const where = `/${side}/connection/tls_enabled`
    if (onThisMachine) return [fail('WARNING', where, `${what}; any other is refused when connecting.`, 'Switch TLS on, unless it is.')]
    return [fail('ERROR', where, `${what}, and a secret store is not used for one.`, 'Switch TLS on.')]
  })
}

function signature(plan: Plan, { signed }: Facts): Finding[] {
  if (signed === null) return []
  const remedy = 'Have the plan signed again by the signing function.'
  try {
    const { statement, predicate } = openPredicate(signed.envelope, signed.trust, 'plan', planPredicate)
    const same =
      statement.subject.length === 1 &&
      statement.subject[0]?.digest.sha256 === digestOf(plan) &&
      predicate.project_id === plan.project_id &&
      predicate.plan_version === plan.plan_version &&
      predicate.policy_version === plan.policy.version &&
      predicate.policy_sha256 === plan.policy.sha256 &&
      predicate.expires_at === plan.expires_at
    return same ? [] : [fail('CRITICAL', '', 'The signature is valid, but for another plan than this one.', remedy)]
  } catch (error) {
    const why = isWaybillError(error) ? error.message : 'it cannot be read'
    return [fail('CRITICAL', '', `The signature does not hold: ${why}.`, remedy)]
  }
}

/** Where each table is created (−1: never) and copied, as positions in the list of steps. */
function stepsByTable(plan: Plan): Map<string, { create: number; copies: number[] }> {
  const byTable = new Map<string, { create: number; copies: number[] }>()
  for (const [at, step] of plan.steps.entries()) {
    const entry = byTable.get(step.table_id) ?? { create: -1, copies: [] }
    if (step.kind === 'create_table') entry.create = at
    if (step.kind === 'copy_table') entry.copies.push(at)
    byTable.set(step.table_id, entry)
  }
  return byTable
}

function doubles(names: readonly string[]): string[] {
  const seen = new Set<string>()
  const twice = new Set<string>()
  for (const name of names) (seen.has(name) ? twice : seen).add(name)
  return [...twice]
}
