import { allows, baseType } from '../coercion.ts'
import { counted } from '../count-words.ts'
import { ACCEPT, type DecisionKind, decisionId } from '../decisions.ts'
import { namesInShort } from '../names-in-short.ts'
import type { Catalog } from '../schemas/catalog.ts'
import type { Finding } from '../schemas/finding.ts'
import type { Plan } from '../schemas/plan.ts'
import type { ColumnMapping, TableMapping } from '../schemas/proposal.ts'
import { readSqlType } from '../sql-type.ts'
import { type Facts, failing, named, passing, type Validator } from './rule.ts'

const id = 'type-coercion-validator'
const fail = failing(id)

/** Every column follows a rule of the rulebook, and a person answered for whatever loses information or shows personal data. */
export const typeCoercionValidator: Validator = {
  id,
  run(plan, facts) {
    const findings = plan.tables.flatMap((table, tableAt) => {
      const columns = table.columns.flatMap((column, columnAt) => {
        const where = `/tables/${tableAt}/columns/${columnAt}`
        return [...ruleFindings(plan, facts, table, column, where), ...personalFindings(plan, facts, table, column, where)]
      })
      return [...columns, ...sourceFindings(facts.catalog, table, `/tables/${tableAt}`)]
    })
    if (facts.catalog === null) findings.push(notCompared())
    if (findings.some((finding) => finding.verdict === 'fail' && finding.severity !== 'WARNING')) return findings
    const count = plan.tables.reduce((sum, table) => sum + table.columns.length, 0)
    const decided = plan.decisions.filter((decision) => decision.choice === ACCEPT).length
    const accepted = decided === 0 ? 'nothing had to be accepted by a person' : `a person accepted ${counted(decided, 'manual decision')}`
    const text = `All ${counted(count, 'column')} of ${counted(plan.tables.length, 'table')} follow a rule of type coercion rulebook ${facts.typeCoercion.version}; ${accepted}.`
    return [...findings, passing(id, text)]
  },
}

function ruleFindings(plan: Plan, facts: Facts, table: TableMapping, column: ColumnMapping, where: string): Finding[] {
  const name = `${table.table_id}.${named(column.target)}`
  const rule = facts.typeCoercion.rules.find((candidate) => candidate.id === column.rule)
  if (rule === undefined) {
    return [
      fail(
        'CRITICAL',
        `${where}/rule`,
        `${name} names the rule ${column.rule}, which the rulebook does not have.`,
        'Compile the plan again with the shipped rulebook.',
      ),
    ]
  }
  const findings: Finding[] = []
  if (column.source.length !== column.source_types.length || !allows(rule, column.source_types, column.target_type, column.transform)) {
    const from = column.source_types.map(named).join(', ') || 'no column'
    const what = `${name}: the rule ${rule.id} does not allow ${column.transform.kind} from ${from} to ${named(column.target_type)}.`
    findings.push(fail('CRITICAL', where, what, 'Choose a target type or transform that a rule allows, or a rule that allows it.'))
  }
  if (readSqlType(column.target_type) === null) {
    findings.push(
      fail(
        'ERROR',
        `${where}/target_type`,
        `${name}: ${named(column.target_type)} is no type Waybill can create.`,
        'Choose a PostgreSQL base type.',
      ),
    )
  }
  if (column.lossy !== rule.lossy) {
    const what = rule.lossy
      ? `${name} calls itself lossless; the rule ${rule.id} loses information: ${rule.says}`
      : `${name} calls itself lossy under ${rule.id}, which loses nothing.`
    findings.push(fail('ERROR', `${where}/lossy`, what, 'Compile the plan again so that the plan says what its rule says.'))
  }
  if (rule.needs_decision && !accepted(plan, 'lossy', table, column)) {
    const what = `${name} loses information (${rule.says}), and nobody accepted that.`
    findings.push(
      fail(
        'ERROR',
        where,
        what,
        `Answer the manual decision ${decisionId('lossy', table.table_id, column.target)} with "${ACCEPT}", or choose a wider target type.`,
      ),
    )
  }
  return findings
}

const MASKS: ReadonlySet<ColumnMapping['transform']['kind']> = new Set(['mask_partial', 'mask_redact', 'mask_sha256'])

function personalFindings(plan: Plan, facts: Facts, table: TableMapping, column: ColumnMapping, where: string): Finding[] {
  if (!facts.policy.pii.mask_required || MASKS.has(column.transform.kind) || column.source.length === 0) return []
  if (accepted(plan, 'pii', table, column)) return []
  const name = `${table.table_id}.${named(column.target)}`
  const remedy = `Mask the column, or answer the manual decision ${decisionId('pii', table.table_id, column.target)} with "${ACCEPT}".`
  if (column.pii) return [fail('ERROR', where, `${name} holds personal data and would arrive unmasked, and nobody accepted that.`, remedy)]
  const names = [column.target, ...column.source].map((text) => text.toLowerCase())
  const fragment = facts.policy.pii.name_fragments.find((part) => names.some((text) => text.includes(part)))
  if (fragment === undefined) return []
  return [fail('WARNING', where, `${name} is declared free of personal data, although its name holds "${fragment}".`, remedy)]
}

function accepted(plan: Plan, kind: DecisionKind, table: TableMapping, column: ColumnMapping): boolean {
  const wanted = decisionId(kind, table.table_id, column.target)
  const answers = plan.decisions.filter((decision) => decision.decision_id === wanted)
  return answers.length === 1 && answers[0]?.choice === ACCEPT
}

/** A proposal is a stranger's text: a column that lies about its source type could borrow a harmless rule. */
function sourceFindings(catalog: Catalog | null, table: TableMapping, where: string): Finding[] {
  if (catalog === null) return []
  const there = catalog.tables.find((candidate) => candidate.schema === table.source.schema && candidate.name === table.source.name)
  const remedy = 'Discover the source again and compile the plan again.'
  if (there === undefined)
    return [
      fail('CRITICAL', `${where}/source`, `${table.table_id}: discovery did not find its source ${named(table.source.name)}.`, remedy),
    ]
  return [...indirectFindings(there.kind, table, where), ...heirFindings(there, table, where), ...typeFindings(there, table, where)]
}

const INDIRECT: Readonly<Partial<Record<Catalog['tables'][number]['kind'], string>>> = {
  view: 'a view',
  'materialized-view': 'a materialized view',
  foreign: 'a foreign table',
}

/** Threat: a plan names a table, and its rows come from another one that no approver has read about. */
function indirectFindings(kind: Catalog['tables'][number]['kind'], table: TableMapping, where: string): Finding[] {
  const word = INDIRECT[kind]
  if (word === undefined) return []
  const what = `${table.table_id}: the source ${named(table.source.name)} is ${word}. Which rows and tables it reads is decided by its definition in the source, not by this plan.`
  return [fail('WARNING', `${where}/source`, what, 'Have its definition read by the data owner, or plan the tables that it reads from.')]
}

/** As PostgreSQL reads it, a table has the rows of all that inherit from it; a user who names it expects them, and approvers must know. */
function heirFindings({ inherited_by: heirs = [] }: Catalog['tables'][number], table: TableMapping, where: string): Finding[] {
  if (heirs.length === 0) return []
  const some = namesInShort(heirs.map(named))
  const what = `${table.table_id}: rows of ${heirs.length === 1 ? 'a table' : `${heirs.length} tables`} that inherit from the source ${named(table.source.name)} are moved with it, in the columns of this plan: ${some}.`
  return [
    fail(
      'WARNING',
      `${where}/source`,
      what,
      'Have the data owner confirm it. To move them by themselves, end the inheritance in the source (NO INHERIT) and plan again.',
    ),
  ]
}

function typeFindings(there: Catalog['tables'][number], table: TableMapping, where: string): Finding[] {
  const remedy = 'Discover the source again and compile the plan again.'
  return table.columns.flatMap((column, at) =>
    column.source.flatMap((source, index) => {
      const found = there.columns.find((candidate) => candidate.name === source)
      const says = column.source_types[index] ?? ''
      if (found !== undefined && (found.type === says || (baseType(found.type) === baseType(says) && sameModifiers(found.type, says))))
        return []
      const seen = found === undefined ? 'no such column' : `the type ${named(found.type)}`
      const what = `${table.table_id}.${named(column.target)} is planned from ${named(source)} of type ${named(says)}; discovery found ${seen}.`
      return [fail('CRITICAL', `${where}/columns/${at}/source_types`, what, remedy)]
    }),
  )
}

function sameModifiers(a: string, b: string): boolean {
  const modifiers = (type: string): string => (/\(([^)]*)\)/.exec(type)?.[1] ?? '').replace(/\s/g, '')
  return modifiers(a) === modifiers(b)
}

function notCompared(): Finding {
  return {
    rule_id: id,
    verdict: 'not-applicable',
    severity: 'WARNING',
    what: 'Source types were taken from the plan: no discovery was at hand to compare them with.',
    where: '/tables',
    remedy: 'Validate together with the discovery report.',
  }
}
