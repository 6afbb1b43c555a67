import { visible } from '../core/approval-page/visible-text.ts'
import type { CatalogTable, TableProfile } from '../core/schemas/catalog.ts'
import type { ColumnMapping } from '../core/schemas/proposal.ts'
import { type DecisionDesk, questionId, REVISE_CHOICE } from './decision-desk.ts'

export type KeyAsk = {
  tableId: string
  object: string
  table: CatalogTable
  profile: TableProfile | null
  columns: readonly ColumnMapping[]
  /** Target columns that the spec names as the key. */
  requested: readonly string[] | undefined
}

export type KeyFound = {
  key: string[] | null
  basis: 'spec' | 'primary' | 'unique' | 'unique-nullable' | 'measured' | 'none'
  note: string | null
  pointer: string
}

const MEANING = 'A key must be unique and never NULL, or rows of one side would be taken for rows of another.'

/** Target columns that identify a row on both sides. A key that nothing vouches for is a question to a person. */
export function findKey(ask: KeyAsk, desk: DecisionDesk): KeyFound {
  const declared = declaredKeys(ask)
  if (ask.requested !== undefined && ask.requested.length > 0) return requestedKey(ask, ask.requested, declared, desk)
  const sure = declared.find((candidate) => candidate.kind !== 'unique-nullable' && candidate.image !== null)
  if (sure?.image) return { key: sure.image, basis: sure.kind, note: null, pointer: sure.pointer }
  const unsure = declared.find((candidate) => candidate.kind === 'unique-nullable' && candidate.image !== null)
  if (unsure?.image)
    return decide(ask, unsure.image, 'unique-nullable', unsure.pointer, 'The unique key allows NULL, and a NULL names no row.', desk)
  const lost = declared.length > 0
  return {
    key: null,
    basis: 'none',
    note: lost ? `The declared key of ${ask.object} is not mapped unchanged, so rows are compared as a multiset.` : null,
    pointer: '/primary_key',
  }
}

type Declared = { kind: 'primary' | 'unique' | 'unique-nullable'; image: string[] | null; pointer: string }

function declaredKeys(ask: KeyAsk): Declared[] {
  const { table } = ask
  const unique = table.unique_keys.map((key, index) => ({
    kind: key.nullable ? ('unique-nullable' as const) : ('unique' as const),
    image: imageOf(key.columns, ask.columns),
    pointer: `/unique_keys/${index}`,
  }))
  if (table.primary_key === null) return unique
  return [{ kind: 'primary', image: imageOf(table.primary_key, ask.columns), pointer: '/primary_key' }, ...unique]
}

/** The target columns that hold a source key unchanged, or null. Only a transform that keeps different values different keeps a key. */
function imageOf(key: readonly string[], columns: readonly ColumnMapping[]): string[] | null {
  const image = key.map(
    (name) => columns.find((column) => column.source.length === 1 && column.source[0] === name && keepsDifference(column))?.target,
  )
  return image.every((target) => target !== undefined) ? image : null
}

function keepsDifference(column: ColumnMapping): boolean {
  return !column.lossy && (column.transform.kind === 'identity' || column.transform.kind === 'cast')
}

function requestedKey(ask: KeyAsk, requested: readonly string[], declared: readonly Declared[], desk: DecisionDesk): KeyFound {
  const key = [...requested]
  const backed = declared.find(
    (candidate) => candidate.kind !== 'unique-nullable' && candidate.image?.every((column) => key.includes(column)),
  )
  if (backed !== undefined) return { key, basis: 'spec', note: null, pointer: backed.pointer }
  const [only, ...others] = key.map((target) => ask.columns.find((column) => column.target === target))
  const measured = ask.profile?.columns.find((column) => only !== undefined && keepsDifference(only) && column.name === only.source[0])
  if (others.length === 0 && ask.profile !== null && measured?.nulls === '0' && measured.distinct === ask.profile.rows) {
    return {
      key,
      basis: 'measured',
      note: `No constraint of ${ask.object} vouches for the key; it was unique when profiled.`,
      pointer: '/unique_keys',
    }
  }
  return decide(
    ask,
    key,
    'spec',
    '/unique_keys',
    'No constraint of the source vouches for this key, and it was not measured to be unique.',
    desk,
  )
}

function decide(ask: KeyAsk, key: string[], basis: KeyFound['basis'], pointer: string, why: string, desk: DecisionDesk): KeyFound {
  const named = key.map((column) => `"${visible(column, 60)}"`).join(', ')
  const choice = desk.ask({
    decision_id: questionId('key', ask.tableId, []),
    where: visible(ask.object, 500),
    question: `Do the columns ${named.slice(0, 600)} identify a row?`,
    why: `${why} ${MEANING}`,
    choices: [
      {
        choice: 'use-key',
        label: 'Yes, they are the key',
        consequence: 'They become the primary key of the target; the run stops at a NULL or a duplicate.',
      },
      {
        choice: 'no-key',
        label: 'No',
        consequence: 'The target gets no primary key; rows are compared as a multiset, with multiplicities.',
      },
      REVISE_CHOICE,
    ],
  })
  return choice === 'use-key' ? { key, basis, note: null, pointer } : { key: null, basis: 'none', note: null, pointer }
}
