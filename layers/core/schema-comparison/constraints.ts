import type { CatalogTable } from '../schemas/catalog.ts'
import type { TableMapping } from '../schemas/proposal.ts'
import type { SchemaDifference } from '../schemas/recon.ts'
import { type Fact, type FactDifference, factDifferences } from './facts.ts'
import { difference, type Frame } from './frame.ts'
import { namesIn, normalForm } from './normal-form.ts'
import { tokensOf } from './tokens.ts'

/** Keys, checks and exclusions by what they say; names of constraints are nobody's business. */
export function constraintDifferences(frame: Frame): SchemaDifference[] {
  const plan = frame.mapping
  return [
    ...(plan === null ? [] : [...plannedKey(frame, plan), ...plannedForeignKeys(frame, plan)]),
    // What the plan decides about keys it decides instead of the source.
    ...(plan?.key ? [] : compared(frame, primaryKey)),
    ...compared(frame, (table, side) => uniqueKeys(table, side).filter((fact) => plan?.key == null || !saysKey(fact, plan.key))),
    ...compared(frame, (table, side) =>
      foreignKeys(table, side).filter((fact) => !fact.about.some((columns) => plannedColumns(plan).has(columns))),
    ),
    ...compared(frame, checks),
    ...compared(frame, exclusions),
  ]
}

/** One side's own names made the target's. */
type Side = { frame: Frame; own: 'source' | 'target' }

function compared(frame: Frame, facts: (table: CatalogTable, side: Side) => Fact[]): SchemaDifference[] {
  if (frame.source === null || !frame.declared) return []
  const [before, after] = [facts(frame.source, { frame, own: 'source' }), facts(frame.target, { frame, own: 'target' })]
  return factDifferences(before, after).map((found) => said(frame, found))
}

function said(frame: Frame, { source, target }: FactDifference): SchemaDifference {
  const sorted = (form: string) =>
    JSON.stringify(
      tokensOf(form)
        .map((token) => token.text)
        .sort(),
    )
  const sameColumns = source !== null && target !== null && source.form !== target.form && sorted(source.form) === sorted(target.form)
  const rule = sameColumns && /^(PRIMARY|UNIQUE)/.test(source.form) ? 'constraint-column-order' : 'constraint'
  const shown = { source: source?.shown ?? null, target: target?.shown ?? null }
  const planned = frame.mapping !== null && target === null && (source?.leftOut ?? false)
  return difference({ kind: 'constraint', rule, where: frame.at(), ...shown }, { planned })
}

const names = ({ frame, own }: Side) => (own === 'source' ? frame.sourceNames : frame.targetNames)
const renamed = (side: Side, columns: readonly string[]) =>
  columns.map((column) => (side.own === 'source' ? (side.frame.targetColumn(column) ?? column) : column))
const isLeftOut = ({ frame, own }: Side, columns: readonly string[]) =>
  own === 'source' && columns.some((column) => frame.targetColumn(column) === null && frame.sourceNames.types.has(column))
const about = (columns: readonly string[]) => JSON.stringify([...columns].sort())
const excluded = ({ frame }: Side, columns: readonly string[]) => columns.some((column) => frame.excluded.has(column))

/** A definition that names columns only, such as `UNIQUE NULLS NOT DISTINCT (a, b)`. */
function defined(side: Side, definition: string, columns: readonly string[]): Fact[] {
  if (excluded(side, columns)) return []
  const form = normalForm(definition, names(side))
  return [{ form, about: [about(renamed(side, columns))], shown: definition, leftOut: isLeftOut(side, columns) }]
}

const listed = (columns: readonly string[]) =>
  columns.map((column) => (/^[a-z_][a-z0-9_]*$/.test(column) ? column : `"${column.replaceAll('"', '""')}"`)).join(', ')

function primaryKey(table: CatalogTable, side: Side): Fact[] {
  if (table.primary_key === null) return []
  const facts = defined(side, table.primary_key_definition ?? `PRIMARY KEY (${listed(table.primary_key)})`, table.primary_key)
  return facts.map((fact) => ({ ...fact, about: ['primary key'] }))
}

function uniqueKeys(table: CatalogTable, side: Side): Fact[] {
  return table.unique_keys.flatMap((key) => defined(side, key.definition ?? `UNIQUE (${listed(key.columns)})`, key.columns))
}

function foreignKeys(table: CatalogTable, side: Side): Fact[] {
  return table.foreign_keys.flatMap((key): Fact[] => {
    if (excluded(side, key.columns)) return []
    const { references } = key
    const own = { schema: references.schema, name: references.name }
    const to = side.own === 'source' ? side.frame.targetOf(own) : own
    const toItself = references.schema === table.schema && references.name === table.name
    const columns = toItself ? renamed(side, references.columns) : references.columns
    const validated = key.validated ? '' : ' NOT VALID'
    const rules = (key.rules ?? '').replace(/ ?NOT VALID$/, '')
    const form = JSON.stringify([renamed(side, key.columns), to.schema, to.name, columns, normalForm(rules, names(side)), validated])
    const shown = `FOREIGN KEY (${listed(key.columns)}) REFERENCES ${references.schema}.${references.name} (${listed(references.columns)})${rules === '' ? '' : ` ${rules}`}${validated}`
    return [{ form, about: [about(renamed(side, key.columns))], shown, leftOut: isLeftOut(side, key.columns) }]
  })
}

function checks(table: CatalogTable, side: Side): Fact[] {
  return table.checks.flatMap((check): Fact[] => {
    const rules = check.rules ?? ''
    const used = [...namesIn(check.expression)].filter((name) => names(side).types.has(name))
    if (excluded(side, used)) return []
    const form = JSON.stringify([normalForm(check.expression, names(side)), rules])
    const shown = `CHECK (${check.expression})${rules === '' ? '' : ` ${rules}`}`
    return [{ form, about: [JSON.stringify(renamed(side, used).sort())], shown, leftOut: isLeftOut(side, used) }]
  })
}

function exclusions(table: CatalogTable, side: Side): Fact[] {
  return (table.exclusions ?? []).flatMap(({ definition }) => {
    const used = [...namesIn(definition)].filter((name) => names(side).types.has(name))
    return defined(side, definition, used)
  })
}

const sameSet = (a: readonly string[], b: readonly string[]) => about(a) === about(b)
const saysKey = (fact: Fact, key: readonly string[]) => fact.about.includes(about(key))

/** The plan's key must be a primary or unique key of the target; that it is not the source's was approved with the plan. */
function plannedKey(frame: Frame, { key }: TableMapping): SchemaDifference[] {
  if (key === null) return []
  const { primary_key, unique_keys } = frame.target
  const held = (primary_key !== null && sameSet(primary_key, key)) || unique_keys.some((unique) => sameSet(unique.columns, key))
  const before = frame.source?.primary_key ?? null
  const own = before?.map((column) => frame.targetColumn(column) ?? column) ?? null
  const found: SchemaDifference[] = []
  if (!held) {
    const shown = { source: `planned key (${listed(key)})`, target: primary_key === null ? null : `PRIMARY KEY (${listed(primary_key)})` }
    found.push(difference({ kind: 'constraint', rule: 'constraint', where: frame.at(), ...shown }))
  }
  if (before !== null && own !== null && !sameSet(own, key)) {
    const shown = { source: `PRIMARY KEY (${listed(before)})`, target: `planned key (${listed(key)})` }
    found.push(difference({ kind: 'constraint', rule: 'constraint', where: frame.at(), ...shown }, { planned: true }))
  }
  return found
}

const plannedColumns = (plan: TableMapping | null) => new Set(plan?.foreign_keys.map((key) => about(key.columns)))

/** The plan names the table referred to in several ways, so a planned foreign key is known by its columns on both ends. */
function plannedForeignKeys(frame: Frame, { foreign_keys }: TableMapping): SchemaDifference[] {
  return foreign_keys.flatMap((planned): SchemaDifference[] => {
    const where = `${frame.at()} (${planned.columns.join(', ')})`
    const same = (a: readonly string[], b: readonly string[]) => a.join('\u0000') === b.join('\u0000')
    const found = frame.target.foreign_keys.find(
      (key) => same(key.columns, planned.columns) && same(key.references.columns, planned.references.columns),
    )
    const own = frame.source?.foreign_keys.find((key) =>
      same(
        key.columns.map((column) => frame.targetColumn(column) ?? column),
        planned.columns,
      ),
    )
    const weaker = planned.enforcement === 'none' || (planned.enforcement === 'unvalidated' && own?.validated === true)
    const asked: SchemaDifference[] =
      own !== undefined && weaker
        ? [
            difference(
              {
                kind: 'constraint',
                rule: 'constraint',
                where,
                source: 'foreign key',
                target: `planned enforcement ${planned.enforcement}`,
              },
              { planned: true },
            ),
          ]
        : []
    const missed = (source: string, target: string | null) => [
      ...asked,
      difference({ kind: 'constraint', rule: 'constraint', where, source, target }),
    ]
    if (planned.enforcement === 'none') return asked
    if (found === undefined) return missed('planned foreign key', null)
    if (planned.enforcement === 'enforced' && !found.validated) return missed('planned foreign key, validated', 'not validated')
    return asked
  })
}
