import { describe, expect, it } from 'vitest'
import { schemaDifferences } from '../../../layers/core/schema-comparison/schema-differences.ts'
import type { CatalogTable } from '../../../layers/core/schemas/catalog.ts'
import type { TableMapping } from '../../../layers/core/schemas/proposal.ts'
import { column, foreignKey, index, mapped, mappingOf, tableOf } from './tables.ts'

const found = (source: CatalogTable | null, target: CatalogTable, mapping: TableMapping) =>
  schemaDifferences({ source, target }, { mapping }).map((one) => [one.kind, one.planned, one.severity, one.source, one.target])

describe('what the plan asked for', () => {
  it('a type it changes is a remark; another type than it says is an error', () => {
    const mapping = mappingOf([mapped('a', 'bigint', { transform: { kind: 'cast' } })])
    expect(found(tableOf([column('a')]), tableOf([column('a', 'bigint')]), mapping)).toEqual([
      ['column_type', true, 'INFO', 'integer', 'bigint'],
    ])
    expect(found(tableOf([column('a')]), tableOf([column('a', 'text')]), mapping)).toEqual([
      ['column_type', false, 'ERROR', 'planned bigint', 'text'],
      ['column_type', true, 'INFO', 'integer', 'text'],
    ])
  })

  it('a column it leaves out, with its keys, checks and indexes', () => {
    const source = tableOf([column('a'), column('b', 'text')], {
      unique_keys: [{ name: 'u', columns: ['b'], nullable: true, definition: 'UNIQUE (b)' }],
      foreign_keys: [foreignKey({ columns: ['b'] })],
      checks: [{ name: 'c', expression: "(b <> ''::text)", rules: '' }],
      indexes: [index('USING btree (lower(b))')],
    })
    expect(found(source, tableOf([column('a')]), mappingOf([mapped('a')])).map(([kind, planned]) => [kind, planned])).toEqual([
      ['column_removed', true],
      ['constraint', true],
      ['constraint', true],
      ['constraint', true],
      ['index', true],
    ])
  })

  it('a column of its own name made from others, and one renamed', () => {
    const mapping = mappingOf([
      mapped('whole', 'text', { source: ['first', 'last'], transform: { kind: 'concat', separator: ' ' } }),
      mapped('mail', 'text', { source: ['email'] }),
    ])
    const source = tableOf([column('first', 'text'), column('last', 'text'), column('email', 'text')])
    expect(found(source, tableOf([column('whole', 'text'), column('mail', 'text')]), mapping)).toEqual([
      ['column_renamed', true, 'INFO', 'email', 'mail'],
    ])
  })

  it('a column that feeds several is the one of its own name', () => {
    const keyed = (name: string) => ({ unique_keys: [{ name: 'u', columns: [name], nullable: true, definition: `UNIQUE (${name})` }] })
    const mapping = mappingOf([mapped('copy', 'integer', { source: ['a'] }), mapped('a')])
    const target = tableOf([column('copy'), column('a')], keyed('a'))
    expect(found(tableOf([column('a')], keyed('a')), target, mapping).filter(([kind]) => kind === 'constraint')).toEqual([])
  })

  it('a file declares nothing that the plan or the target could differ from', () => {
    const mapping = mappingOf([mapped('a', 'integer', { transform: { kind: 'cast' } })])
    expect(found(tableOf([column('a', 'text')], { kind: 'file' }), tableOf([column('a')]), mapping)).toEqual([])
  })

  it('nothing about the default of a column whose values it changes', () => {
    const mapping = mappingOf([mapped('a', 'text', { transform: { kind: 'lowercase' } })])
    expect(found(tableOf([column('a', 'text', { default: "'X'::text" })]), tableOf([column('a', 'text')]), mapping)).toEqual([])
  })
})

describe('what the plan did not ask for', () => {
  it('a planned column that is missing, and one that it does not name', () => {
    expect(found(tableOf([column('a')]), tableOf([column('z')]), mappingOf([mapped('a')]))).toEqual([
      ['column_removed', false, 'CRITICAL', 'a', null],
      ['column_added', false, 'WARNING', null, 'integer'],
    ])
  })

  it('nullability, save where its key makes columns NOT NULL', () => {
    const strict = tableOf([column('a', 'integer', { nullable: false })], { primary_key: ['a'] })
    const loose = tableOf([column('a')])
    expect(found(null, tableOf([column('a', 'integer', { nullable: false })]), mappingOf([mapped('a')]))).toEqual([
      ['nullability', false, 'WARNING', 'planned NULL allowed', 'NOT NULL'],
    ])
    expect(found(loose, strict, mappingOf([mapped('a')], { key: ['a'] }))).toEqual([])
  })

  it('defaults, checks, indexes and keys of the source that the plan is silent on', () => {
    const source = tableOf([column('a', 'integer', { default: '5' })], {
      unique_keys: [{ name: 'u', columns: ['a'], nullable: true, definition: 'UNIQUE (a)' }],
      foreign_keys: [foreignKey()],
      checks: [{ name: 'c', expression: '(a > 0)', rules: '' }],
      indexes: [index('USING btree (a)')],
    })
    expect(
      found(source, tableOf([column('a')]), mappingOf([mapped('a')])).map(([kind, planned, severity]) => [kind, planned, severity]),
    ).toEqual(['default', 'constraint', 'constraint', 'constraint', 'index'].map((kind) => [kind, false, 'WARNING']))
  })

  it('columns in another order than planned', () => {
    expect(found(null, tableOf([column('b'), column('a')]), mappingOf([mapped('a'), mapped('b')]))).toEqual([
      ['column_order', false, 'INFO', 'a, b', 'b, a'],
    ])
  })
})

describe('keys of a plan', () => {
  const mapping = mappingOf([mapped('a', 'integer', { nullable: false }), mapped('b')], { key: ['a'] })
  const columns = [column('a', 'integer', { nullable: false }), column('b')]

  it('are held by a primary or a unique key', () => {
    expect(found(null, tableOf(columns, { primary_key: ['a'] }), mapping)).toEqual([])
    expect(found(null, tableOf(columns, { unique_keys: [{ name: 'u', columns: ['a'], nullable: false }] }), mapping)).toEqual([])
    expect(found(null, tableOf(columns), mapping)).toEqual([['constraint', false, 'WARNING', 'planned key (a)', null]])
    expect(found(null, tableOf(columns, { primary_key: ['b'] }), mapping)).toEqual([
      ['constraint', false, 'WARNING', 'planned key (a)', 'PRIMARY KEY (b)'],
    ])
  })

  it('held by a primary key, whatever key the source has on the same columns', () => {
    const unique = tableOf(columns, { unique_keys: [{ name: 'u', columns: ['a'], nullable: false, definition: 'UNIQUE (a)' }] })
    expect(found(unique, tableOf(columns, { primary_key: ['a'] }), mapping)).toEqual([])
  })

  it('stand instead of the source’s', () => {
    const source = tableOf(columns, { primary_key: ['b'], primary_key_definition: 'PRIMARY KEY (b)' })
    expect(found(source, tableOf(columns, { primary_key: ['a'] }), mapping)).toEqual([
      ['constraint', true, 'INFO', 'PRIMARY KEY (b)', 'planned key (a)'],
    ])
  })
})

describe('foreign keys of a plan', () => {
  const plan = (enforcement: 'enforced' | 'unvalidated' | 'none') =>
    mappingOf([mapped('a')], { foreign_keys: [{ columns: ['a'], references: { table: 'parent', columns: ['id'] }, enforcement }] })
  const having = (...keys: ReturnType<typeof foreignKey>[]) => tableOf([column('a')], { foreign_keys: keys })
  const loose = foreignKey({ validated: false, rules: 'NOT VALID' })

  it.each([
    ['enforced', having(foreignKey()), having(foreignKey()), []],
    ['enforced', having(foreignKey()), having(loose), [['planned foreign key, validated', 'not validated', false]]],
    ['enforced', having(foreignKey()), having(), [['planned foreign key', null, false]]],
    ['unvalidated', having(foreignKey()), having(loose), [['foreign key', 'planned enforcement unvalidated', true]]],
    ['unvalidated', having(loose), having(loose), []],
    ['none', having(foreignKey()), having(), [['foreign key', 'planned enforcement none', true]]],
    ['none', having(), having(), []],
  ] as const)('%s', (enforcement, source, target, expected) => {
    const differences = schemaDifferences({ source, target }, { mapping: plan(enforcement) })
    expect(differences.map((one) => [one.source, one.target, one.planned])).toEqual(expected)
  })

  it('to other columns than planned are not the planned ones', () => {
    const elsewhere = foreignKey({ references: { schema: 'public', name: 'parent', columns: ['other'] } })
    expect(schemaDifferences({ source: null, target: having(elsewhere) }, { mapping: plan('enforced') })).toHaveLength(1)
  })
})
