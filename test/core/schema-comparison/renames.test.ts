import { describe, expect, it } from 'vitest'
import { likeness, tableRenames } from '../../../layers/core/schema-comparison/renames.ts'
import { schemaDifferences } from '../../../layers/core/schema-comparison/schema-differences.ts'
import type { CatalogColumn } from '../../../layers/core/schemas/catalog.ts'
import { renameSuggestion } from '../../../layers/core/schemas/recon.ts'
import { column, mapped, mappingOf, tableOf } from './tables.ts'

function suggested(source: CatalogColumn[], target: CatalogColumn[]) {
  const differences = schemaDifferences({ source: tableOf(source), target: tableOf(target) })
  const on = (kind: string) => differences.flatMap((one) => (one.kind === kind && one.rename ? [renameSuggestion.parse(one.rename)] : []))
  expect(on('column_removed').toSorted((a, b) => (a.source < b.source ? -1 : 1))).toEqual(
    on('column_added').toSorted((a, b) => (a.source < b.source ? -1 : 1)),
  )
  // Whatever is suggested, both columns stay differences.
  const only = (list: CatalogColumn[], other: CatalogColumn[]) => list.filter((one) => !other.some(({ name }) => name === one.name)).length
  expect(differences.filter((one) => one.kind === 'column_removed')).toHaveLength(only(source, target))
  expect(differences.filter((one) => one.kind === 'column_added')).toHaveLength(only(target, source))
  return on('column_removed').map(({ source: from, target: to, confidence, reason }) => [from, to, confidence, reason])
}

const id = column('id')

describe('columns', () => {
  it.each([
    ['Name', 'name', 0.95, 'the names differ only in case; same type'],
    ['firstName', 'first_name', 0.9, 'the names have the same letters; same type'],
    ['email', 'email_address', 0.75, 'one name holds the words of the other, same type, same position'],
    ['colour', 'color', 0.78, 'the names are alike, same type, same position'],
    ['kind', 'category', 0.5, 'the only columns of this type that one side lacks, same position; the names are unlike'],
  ])('%s and %s', (source, target, confidence, reason) => {
    expect(suggested([id, column(source, 'text')], [id, column(target, 'text')])).toEqual([[source, target, confidence, reason]])
  })

  it('of another type, only where the name is the same but for its case', () => {
    expect(suggested([column('Id', 'integer'), id], [column('ID', 'bigint'), id])).toEqual([
      ['Id', 'ID', 0.6, 'the names differ only in case; the types differ'],
    ])
    expect(suggested([id, column('colour', 'text')], [id, column('color', 'integer')])).toEqual([])
  })

  it('unlike names at another place, or with two to choose from, suggest nothing', () => {
    expect(suggested([column('kind', 'text'), id], [id, column('category', 'text')])).toEqual([])
    expect(suggested([id, column('kind', 'text')], [id, column('abc', 'text'), column('xyz', 'text')])).toEqual([])
  })

  it('each column once, with its likeliest partner', () => {
    const found = suggested(
      [column('user_name', 'text'), column('username', 'text')],
      [column('UserName', 'text'), column('user_names', 'text')],
    )
    expect(found.map(([from, to]) => [from, to]).sort()).toEqual([
      ['user_name', 'user_names'],
      ['username', 'UserName'],
    ])
  })

  it('names that differ by case within one table stay two columns', () => {
    expect(suggested([column('a b'), column('A b')], [column('a b'), column('A b')])).toEqual([])
  })

  it('a column that the plan leaves out is suggested nothing that the plan fills', () => {
    const differences = schemaDifferences(
      { source: tableOf([id, column('colour', 'text')]), target: tableOf([id, column('color', 'text')]) },
      { mapping: mappingOf([mapped('id'), mapped('color', 'text', { source: ['colour'] })]) },
    )
    expect(differences).toEqual([
      { kind: 'column_renamed', where: 'public.t.color', source: 'colour', target: 'color', severity: 'INFO', planned: true },
    ])
  })
})

describe('tables', () => {
  const named = (name: string, ...names: string[]) =>
    tableOf(
      names.map((one) => column(one)),
      { name },
    )

  it('by their columns first, by their names second', () => {
    const found = tableRenames(
      [named('customer', 'id', 'a', 'b'), named('orders', 'id', 'x', 'y'), named('lonely', 'q')],
      [named('orders_2024', 'id', 'x', 'y'), named('Customer', 'id', 'a', 'b'), named('other', 'z')],
    )
    expect(found.map(({ source, target, confidence }) => [source, target, confidence])).toEqual([
      ['public.customer', 'public.Customer', 0.95],
      ['public.orders', 'public.orders_2024', 0.85],
    ])
    expect(found[0]?.reason).toBe('3 of 3 columns have the same name and type; the names differ only in case')
  })

  it('a like name with other columns is not suggested', () => {
    expect(tableRenames([named('orders', 'a', 'b', 'c')], [named('order', 'x', 'y', 'z')])).toEqual([])
  })

  it('nor is the same name in another schema, if less than half of the columns are alike', () => {
    expect(tableRenames([named('t', 'a', 'b', 'c')], [{ ...named('t', 'a', 'y', 'z'), schema: 'new' }])).toEqual([])
  })

  it('the same name in another schema says so', () => {
    const moved = { ...named('t', 'a'), schema: 'new' }
    expect(tableRenames([named('t', 'a')], [moved])).toMatchObject([
      { target: 'new.t', reason: '1 of 1 columns have the same name and type; the names are equal, in another schema' },
    ])
  })

  it('among very many only tables of equal columns', () => {
    const many = Array.from({ length: 600 }, (_, i) => named(`table_${i}`, `c${i}`, 'id'))
    const moved = many.map((table) => ({ ...table, name: `x${table.name}` }))
    expect(tableRenames(many, moved).filter(({ source, target }) => target === source.replace('.', '.x'))).toHaveLength(600)
  })
})

it.each([
  ['', ''],
  ['___', '---'],
  ['a'.repeat(5000), 'b'.repeat(5000)],
  ['é', 'e'],
])('likeness of odd names is a share', (a, b) => {
  const { share } = likeness(a, b)
  expect(share).toBeGreaterThanOrEqual(0)
  expect(share).toBeLessThanOrEqual(1)
})
