import { visible } from '../core/approval-page/visible-text.ts'
import { baseType } from '../core/rulebooks.ts'
import type { CatalogTable } from '../core/schemas/catalog.ts'
import type { TableMapping } from '../core/schemas/proposal.ts'
import type { TableRequest } from '../core/schemas/spec.ts'
import { type DecisionDesk, questionId, REVISE_CHOICE } from './decision-desk.ts'

export type ForeignKey = TableMapping['foreign_keys'][number]
export type Mapped = { mapping: TableMapping; catalog: CatalogTable; request: TableRequest }

const NO_CONSTRAINT = {
  choice: 'no-constraint',
  label: 'Add no foreign key',
  consequence: 'The target gets no constraint; orphans are still counted and reported.',
}

/**
 * A requested foreign key between two tables in scope. It is enforced without a question only where the source already enforces it and
 * every referenced row travels; otherwise a person says what happens to orphans.
 */
export function mapForeignKey(
  request: TableRequest['foreign_keys'][number],
  table: Mapped,
  referenced: Mapped,
  desk: DecisionDesk,
): { foreignKey: ForeignKey; proven: boolean } {
  const references = { table: referenced.mapping.table_id, columns: request.references.columns }
  const made = (enforcement: ForeignKey['enforcement'], proven = false) => ({
    foreignKey: { columns: request.columns, references, enforcement },
    proven,
  })

  const obstacle = obstacleTo(request, table.mapping, referenced.mapping)
  if (obstacle === null && provenBySource(request, table, referenced)) return made('enforced', true)

  const from = `${visible(table.mapping.target.name, 60)} (${request.columns.map((column) => visible(column, 60)).join(', ')})`
  const to = `${visible(referenced.mapping.target.name, 60)} (${request.references.columns.map((column) => visible(column, 60)).join(', ')})`
  const choices =
    obstacle === null
      ? [
          {
            choice: 'keep-orphans',
            label: 'Keep orphans and report them',
            consequence:
              'The foreign key is added NOT VALID: new rows are checked, orphans that came along stay and are counted in the report.',
          },
          {
            choice: 'enforce',
            label: 'Enforce it',
            consequence: 'The foreign key is validated after loading; the run stops if there is one orphan.',
          },
          NO_CONSTRAINT,
        ]
      : [NO_CONSTRAINT, REVISE_CHOICE]
  const choice = desk.ask({
    decision_id: questionId('fk', table.mapping.table_id, request.columns),
    where: visible(`${table.mapping.target.schema}.${from}`, 500),
    question: `Rows of ${from} may refer to rows of ${to} that are not there. What shall happen to them?`.slice(0, 1000),
    why: obstacle ?? doubt(table, referenced),
    choices,
  })
  return made(choice === 'enforce' ? 'enforced' : choice === 'keep-orphans' ? 'unvalidated' : 'none')
}

/** Why PostgreSQL would refuse the constraint, whatever the rows. */
function obstacleTo(request: TableRequest['foreign_keys'][number], from: TableMapping, to: TableMapping): string | null {
  const wanted = [...request.references.columns].sort().join('\u0000')
  if (to.key === null || [...to.key].sort().join('\u0000') !== wanted) {
    return 'The referenced columns are not the key of the referenced table, so PostgreSQL cannot make this constraint.'
  }
  const clash = request.columns.findIndex((column, index) => {
    const own = from.columns.find((candidate) => candidate.target === column)?.target_type
    const other = to.columns.find((candidate) => candidate.target === request.references.columns[index])?.target_type
    return own === undefined || other === undefined || family(own) !== family(other)
  })
  return clash < 0 ? null : 'The two sides have types that PostgreSQL cannot hold against each other.'
}

function family(type: string): string {
  const base = baseType(type)
  if (['smallint', 'integer', 'bigint', 'numeric'].includes(base)) return 'number'
  return ['text', 'character varying', 'character'].includes(base) ? 'text' : base
}

function provenBySource(request: TableRequest['foreign_keys'][number], table: Mapped, referenced: Mapped): boolean {
  if (referenced.mapping.filter !== null) return false
  const own = request.columns.map((column) => unchanged(table.mapping, column))
  const others = request.references.columns.map((column) => unchanged(referenced.mapping, column))
  if ([...own, ...others].includes(null)) return false
  const pairs = (left: readonly (string | null)[], right: readonly (string | null)[]) =>
    left
      .map((column, index) => JSON.stringify([column, right[index]]))
      .sort()
      .join()
  return table.catalog.foreign_keys.some(
    (declared) =>
      declared.validated &&
      declared.references.schema === referenced.catalog.schema &&
      declared.references.name === referenced.catalog.name &&
      pairs(declared.columns, declared.references.columns) === pairs(own, others),
  )
}

/** The source column that arrives unchanged in a target column, or null. */
function unchanged(mapping: TableMapping, target: string): string | null {
  const column = mapping.columns.find((candidate) => candidate.target === target)
  return column !== undefined && !column.lossy && (column.transform.kind === 'identity' || column.transform.kind === 'cast')
    ? (column.source[0] ?? null)
    : null
}

function doubt(table: Mapped, referenced: Mapped): string {
  if (referenced.mapping.filter !== null)
    return 'A filter leaves rows of the referenced table behind, so rows that refer to them become orphans.'
  return table.catalog.foreign_keys.length === 0
    ? 'The source declares no foreign key here, so nothing shows that every row finds its reference.'
    : 'The source declares no validated foreign key between exactly these columns, so nothing shows that every row finds its reference.'
}
