import { visible } from '../core/approval-page/visible-text.ts'
import { WaybillError } from '../core/errors.ts'
import { columnsInWords } from '../core/left-behind.ts'
import { namesInShort } from '../core/names-in-short.ts'
import type { Catalog, CatalogTable, Profile, TableProfile } from '../core/schemas/catalog.ts'
import type { Policy, TypeCoercionRulebook } from '../core/schemas/policy.ts'
import { type ColumnMapping, type SchemaMapping, schemaMapping, type TableMapping } from '../core/schemas/proposal.ts'
import type { MigrationSpec, TableRequest } from '../core/schemas/spec.ts'
import { didYouMean } from '../core/spec-hint.ts'
import { sourceObject, tableFinder, tableIds } from '../core/table-id.ts'
import type { Agent, Citation, Conclusion } from './agent.ts'
import { type Answer, type DecisionDesk, decisionDesk } from './decision-desk.ts'
import { mapColumn } from './mapping-column.ts'
import { settleFilter } from './mapping-filter.ts'
import { type Mapped, mapForeignKey } from './mapping-foreign-key.ts'
import { findKey } from './mapping-key.ts'
import { objectName } from './object-name.ts'

export type MappingFacts = {
  spec: MigrationSpec
  source: Catalog
  /** Tables in scope that the target already holds; null or empty when there are none. */
  target: Catalog | null
  profile: Profile | null
  rulebook: TypeCoercionRulebook
  policy: Policy
  /** Answers by people, besides those in `spec.decisions`. */
  answers: Answer[]
}

/** Which source column becomes which target column, under which rule, and what only a person can decide. */
export const mappingAgent: Agent<MappingFacts, typeof schemaMapping> = {
  name: 'mapping',
  schema: schemaMapping,
  question: 'Which of these requested columns could mean something else than their names say?',
  propose,
}

function propose(facts: MappingFacts): Conclusion<SchemaMapping> {
  const { spec } = facts
  const targets = spec.tables.map((table) => table.target)
  const ids = tableIds(targets)
  const find = tableFinder(targets)
  const desk = decisionDesk([
    ...spec.decisions,
    ...facts.answers.filter((answer) => !spec.decisions.some((own) => own.decision_id === answer.decision_id)),
  ])
  const notes: string[] = []
  const citations: Citation[] = []
  refuseExisting(facts)
  const faults: string[] = []

  const referencedColumns = new Map<number, string[]>()
  for (const foreign of spec.tables.flatMap((table) => table.foreign_keys)) {
    const index = find(foreign.references.table)
    if (index !== null) referencedColumns.set(index, [...(referencedColumns.get(index) ?? []), ...foreign.references.columns])
  }

  const mapped: Mapped[] = []
  for (const [index, request] of spec.tables.entries()) {
    const found = findSource(facts, request)
    if (typeof found === 'string') {
      faults.push(found)
      continue
    }
    const mapping = mapTable({
      facts,
      request,
      index,
      tableId: ids[index] ?? '',
      needed: referencedColumns.get(index) ?? [],
      ...found,
      desk,
      notes,
      faults,
      citations,
    })
    if (mapping !== null) mapped.push({ mapping, catalog: found.table, request })
  }
  if (faults.length > 0) throw unusable(faults)

  for (const table of mapped) {
    for (const request of table.request.foreign_keys) {
      const referenced = mapped[find(request.references.table) ?? -1]
      if (referenced === undefined) throw unusable([`Foreign key of ${table.mapping.table_id}: the referenced table is not in scope.`])
      const { foreignKey, proven } = mapForeignKey(request, table, referenced, desk)
      table.mapping.foreign_keys.push(foreignKey)
      if (proven)
        notes.push(
          `Foreign key ${table.mapping.table_id} (${request.columns.join(', ')}): the source enforces it and every referenced row travels.`,
        )
    }
  }

  for (const { decision_id, position } of desk.settled()) {
    const inSpec = position < spec.decisions.length
    citations.push({
      fact: inSpec ? 'spec' : 'answers',
      pointer: inSpec ? `/decisions/${position}` : `/${facts.answers.findIndex((answer) => answer.decision_id === decision_id)}`,
      says: `Decision ${decision_id} was answered here.`,
    })
  }
  const unasked = desk.unasked()
  if (unasked.length > 0) notes.push(`Answers to questions that did not come up: ${unasked.slice(0, 20).join(', ')}.`)
  const open = desk.open()

  return {
    proposal: { tables: mapped.map(({ mapping }) => mapping), decisions: open },
    methodology:
      'Columns are mapped as the spec says, or by name when it lists none. Each pair of types and its transform must be allowed by a rule of the type coercion rulebook; a rule that loses something, personal data without a mask, a key that nothing vouches for, a filter that drops NULLs and a foreign key that may have orphans are questions to a person.',
    citations,
    confidence: facts.profile === null ? 0.8 : open.length > 0 ? 0.9 : 0.95,
    limitations: [
      'Defaults, sequences, checks, indexes, triggers, views and grants of the source are not carried over.',
      'Whether two columns mean the same thing is taken from the spec; names and types cannot show it.',
      ...(facts.profile === null ? ['The source was not profiled, so NULLs and uniqueness are judged by declarations alone.'] : []),
      ...notes,
    ].map((note) => note.slice(0, 500)),
  }
}

type Work = {
  facts: MappingFacts
  request: TableRequest
  index: number
  tableId: string
  needed: readonly string[]
  table: CatalogTable
  position: number
  profile: TableProfile | null
  profilePosition: number
  desk: DecisionDesk
  notes: string[]
  faults: string[]
  citations: Citation[]
}

function mapTable(work: Work): TableMapping | null {
  const { facts, request, table, tableId, desk } = work
  const object = objectName(table)
  const known = new Map(table.columns.map((column, position) => [column.name, { column, position }]))
  const before = work.faults.length
  const lookUp = (name: string, what: string) => {
    const found = known.get(name)
    if (found === undefined)
      work.faults.push(`${visible(object)}: ${what} "${visible(name, 80)}" does not exist in the source${hint(name, [...known.keys()])}.`)
    return found
  }
  for (const name of request.exclude) lookUp(name, 'excluded column')
  for (const term of request.filter?.all ?? []) lookUp(term.column, 'filter column')

  const requests: NonNullable<TableRequest['columns']> =
    request.columns ?? table.columns.filter((column) => !request.exclude.includes(column.name)).map((column) => ({ target: column.name }))
  const needed = new Set([
    ...work.needed,
    ...(request.key ?? []),
    ...(request.order_key === undefined ? [] : [request.order_key]),
    ...request.foreign_keys.flatMap((foreign) => foreign.columns),
  ])
  const columns: ColumnMapping[] = []
  for (const [at, wanted] of requests.entries()) {
    const names = wanted.source ?? (wanted.transform?.kind === 'constant' ? [] : [wanted.target])
    const sources = names.flatMap((name) => lookUp(name, 'column') ?? [])
    if (sources.length < names.length) continue
    const result = mapColumn(
      {
        tableId,
        from: object,
        to: objectName(request.target),
        target: wanted.target,
        source: sources.map(({ column }) => column),
        type: wanted.type,
        transform: wanted.transform,
        nullable: wanted.nullable,
        pii: wanted.pii,
        needed: needed.has(wanted.target),
      },
      { rulebook: facts.rulebook, fragments: facts.policy.pii.name_fragments, maskRequired: facts.policy.pii.mask_required, desk },
    )
    if (result === null) continue
    if ('impossible' in result) {
      work.faults.push(result.impossible)
      continue
    }
    if (!result.nullable && sources.length === 1 && hasNulls(work, sources[0]?.column.name ?? '')) {
      work.faults.push(
        `${visible(object)}: "${visible(result.target, 80)}" shall not be NULL, but the source holds NULLs there. Make it nullable, or filter them out.`,
      )
    }
    columns.push(result)
    cite(
      work,
      at,
      result,
      sources.map(({ position }) => position),
    )
  }
  for (const name of needed) {
    if (!columns.some((column) => column.target === name))
      work.faults.push(`${visible(object)}: a key or foreign key needs column "${visible(name, 80)}", which is not mapped.`)
  }
  if (columns.length === 0 && work.faults.length === before) work.faults.push(`${visible(object)}: no column is left to map.`)
  if (work.faults.length > before) return null

  const filter = settleFilter({ tableId, object, filter: request.filter ?? null, table, profile: work.profile }, desk)
  const key = findKey({ tableId, object, table, profile: work.profile, columns, requested: request.key }, desk)
  if (key.note !== null) work.notes.push(key.note)
  work.citations.push({
    fact: 'source',
    pointer: `/tables/${work.position}${key.pointer}`,
    says: key.key === null ? 'No key is mapped: rows are compared as a multiset.' : `Key by ${key.basis}.`,
  })
  const used = new Set(columns.flatMap((column) => column.source))
  const unmapped = table.columns.filter((column) => !used.has(column.name)).map((column) => visible(column.name, 60))
  if (unmapped.length > 0) work.notes.push(`${visible(object, 80)}: not moved: ${columnsInWords(unmapped)}.`)
  for (const column of table.columns)
    if (column.generated && used.has(column.name))
      work.notes.push(
        `${visible(object, 80)}: "${visible(column.name, 60)}" is generated in the source; the target gets its values, not its rule.`,
      )

  const declared = sourceObject(facts.spec.source.system_type, request.source)
  return {
    table_id: tableId,
    source: { schema: table.schema, name: table.name, kind: declared?.kind ?? 'table' },
    target: request.target,
    filter,
    columns: columns.map((column) => (key.key?.includes(column.target) ? { ...column, nullable: false } : column)),
    key: key.key,
    order_key: request.order_key ?? null,
    foreign_keys: [],
  }
}

function cite(work: Work, at: number, column: ColumnMapping, positions: readonly number[]): void {
  const says = `"${visible(column.target, 60)}" by rule ${column.rule}.`
  if (work.request.columns !== undefined) work.citations.push({ fact: 'spec', pointer: `/tables/${work.index}/columns/${at}`, says })
  for (const position of positions) work.citations.push({ fact: 'source', pointer: `/tables/${work.position}/columns/${position}`, says })
  const rule = work.facts.rulebook.rules.findIndex((candidate) => candidate.id === column.rule)
  work.citations.push({ fact: 'rulebook', pointer: `/rules/${rule}`, says: `Allows "${visible(column.target, 60)}".` })
}

function hasNulls(work: Work, column: string): boolean {
  const measured = work.profile?.columns.find((candidate) => candidate.name === column)
  // Filters may leave the NULLs behind, which the profile cannot tell.
  return measured !== undefined && measured.nulls !== '0' && work.request.filter === undefined
}

function findSource(facts: MappingFacts, request: TableRequest): Pick<Work, 'table' | 'position' | 'profile' | 'profilePosition'> | string {
  const wanted = sourceObject(facts.spec.source.system_type, request.source)
  const is = (other: { schema: string; name: string }) =>
    wanted !== null && other.name === wanted.name && (wanted.kind === 'file' || other.schema === wanted.schema)
  const position = facts.source.tables.findIndex(is)
  const table = facts.source.tables[position]
  if (table === undefined) {
    return `"${visible(request.source)}" was not found in the source${hint(request.source, facts.source.tables.map(objectName))}.`
  }
  const profilePosition = facts.profile?.tables.findIndex(is) ?? -1
  return { table, position, profilePosition, profile: facts.profile?.tables[profilePosition] ?? null }
}

/** Nothing is ever overwritten, so a target table that exists already ends the plan here rather than at its execution. */
function refuseExisting({ spec, target }: MappingFacts): void {
  const there = ({ schema, name }: { schema: string; name: string }) =>
    target?.tables.some((table) => table.schema === schema && table.name === name) === true
  const present = spec.tables.filter((request) => there(request.target)).map((request) => visible(objectName(request.target)))
  if (present.length > 0) {
    throw new WaybillError(
      'TARGET_NOT_EMPTY',
      `The target already holds ${namesInShort(present)}. Waybill overwrites nothing: drop or rename these tables, or choose other names.`,
      { details: present },
    )
  }
}

function hint(name: string, known: readonly string[]): string {
  const near = didYouMean(name, known.slice(0, 2000))
  return near === null ? '' : `; did you mean "${visible(near, 80)}"?`
}

/** A failure's reason is kept up to 2,000 characters, and a sentence here has about 180. */
const FAULTS_SHOWN = 10

function unusable(faults: readonly string[]): WaybillError {
  const shown = faults.slice(0, FAULTS_SHOWN)
  const more = faults.length > shown.length ? ` (and ${faults.length - shown.length} more)` : ''
  return new WaybillError('SPEC_INVALID', `The spec and the source do not fit: ${shown.join(' ')}${more}`, { details: faults.slice(0, 50) })
}
