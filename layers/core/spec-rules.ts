import type { MigrationSpec, TableRequest } from './schemas/spec.ts'
import { samePerson } from './separation.ts'
import { readSqlType, SQL_TYPE_NAMES } from './sql-type.ts'
import { sourceObject, tableFinder, tableIds } from './table-id.ts'

export type SpecFault = { path: (string | number)[]; what: string }

/** Contradictions inside a well-formed spec, that no catalog is needed to see. */
export function specFaults(spec: MigrationSpec): SpecFault[] {
  const targets = spec.tables.map((table) => table.target)
  const ids = tableIds(targets)
  const scope: Scope = { spec, find: tableFinder(targets), names: ids.slice(0, 20).join(', ') }
  return [
    ...repeated(targets.map((target) => JSON.stringify([target.schema, target.name]))).map((index) => ({
      path: ['tables', index, 'target'],
      what: 'another table already has this target; two tables cannot be loaded into one',
    })),
    ...repeated(ids).map((index) => ({
      path: ['tables', index, 'target', 'name'],
      what: 'this name collides with the short name of another table; rename one',
    })),
    ...spec.tables.flatMap((table, index) => tableFaults(table, index, scope)),
    ...spec.checks.flatMap((check, index) => {
      const named = [
        { at: 'table', name: check.table },
        ...(check.kind === 'foreign_key' ? [{ at: 'references', name: check.references.table }] : []),
      ]
      return named
        .filter(({ name }) => scope.find(name) === null)
        .map(({ at }) => ({
          path: ['checks', index, at],
          what: `no single table in scope has this name; use one of ${scope.names}`,
        }))
    }),
    ...repeated(spec.decisions.map((answer) => answer.decision_id)).map((index) => ({
      path: ['decisions', index, 'decision_id'],
      what: 'this decision is answered twice',
    })),
    ...spec.approvers.flatMap((approver, index) =>
      samePerson(approver.email, spec.author)
        ? [{ path: ['approvers', index, 'email'], what: 'the author of a migration cannot approve it' }]
        : [],
    ),
    ...(spec.source.system_type === 'POSTGRESQL' && spec.source.connection === undefined
      ? [{ path: ['source'], what: 'a POSTGRESQL source needs a connection with a secret_ref' }]
      : []),
  ]
}

type Scope = { spec: MigrationSpec; find: (name: string) => number | null; names: string }

function tableFaults(table: TableRequest, index: number, scope: Scope): SpecFault[] {
  const faults: SpecFault[] = []
  const say = (path: (string | number)[], what: string) => faults.push({ path: ['tables', index, ...path], what })
  const columns = table.columns ?? []
  const mapped = new Set(columns.map((column) => column.target))

  if (sourceObject(scope.spec.source.system_type, table.source) === null)
    say(['source'], 'a table is written schema.name; a part with a dot in it stands in double quotes')
  for (const at of repeated(columns.map((column) => column.target))) say(['columns', at, 'target'], 'this target column is already mapped')
  for (const [at, column] of columns.entries()) {
    if (column.type !== undefined && readSqlType(column.type) === null)
      say(['columns', at, 'type'], `not a type Waybill can create; use one of ${SQL_TYPE_NAMES.join(', ')}`)
    const kind = column.transform?.kind
    const sources = column.source?.length ?? 1
    if (kind === 'constant' && column.source !== undefined && sources > 0)
      say(['columns', at, 'source'], 'a constant is made from no source column; leave this out')
    if (kind !== 'concat' && kind !== 'constant' && sources !== 1)
      say(['columns', at, 'source'], `"${kind ?? 'identity'}" takes exactly one source column`)
    if (kind === 'concat' && sources < 1) say(['columns', at, 'source'], '"concat" needs at least one source column')
  }
  if (table.columns !== undefined) {
    if (columns.length === 0) say(['columns'], 'is empty; leave it out to map every column')
    for (const [at, name] of (table.key ?? []).entries())
      if (!mapped.has(name)) say(['key', at], 'a key names target columns; this one is not mapped')
    if (table.order_key !== undefined && !mapped.has(table.order_key))
      say(['order_key'], 'the order key names a target column; this one is not mapped')
    for (const [at, foreign] of table.foreign_keys.entries()) {
      for (const [position, name] of foreign.columns.entries())
        if (!mapped.has(name)) say(['foreign_keys', at, 'columns', position], 'a foreign key names target columns; this one is not mapped')
    }
  }
  for (const [at, foreign] of table.foreign_keys.entries()) {
    if (foreign.columns.length !== foreign.references.columns.length)
      say(['foreign_keys', at], 'both sides of a foreign key need the same number of columns')
    if (scope.find(foreign.references.table) === null) {
      say(['foreign_keys', at, 'references', 'table'], `no single table in scope has this name; use one of ${scope.names}`)
    }
  }
  for (const [at, term] of (table.filter?.all ?? []).entries()) {
    const wants = term.op === 'is_null' || term.op === 'is_not_null' ? 0 : term.op === 'in' || term.op === 'not_in' ? null : 1
    if (wants === null ? term.values.length === 0 : term.values.length !== wants) {
      say(
        ['filter', 'all', at, 'values'],
        `"${term.op}" takes ${wants === null ? 'at least one value' : wants === 0 ? 'no value' : 'exactly one value'}`,
      )
    }
  }
  return faults
}

/** Positions of values that occurred before. */
function repeated(values: readonly string[]): number[] {
  const seen = new Set<string>()
  return values.flatMap((value, index) => {
    if (seen.has(value)) return [index]
    seen.add(value)
    return []
  })
}
