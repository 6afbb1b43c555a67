import fc from 'fast-check'
import { expect, it } from 'vitest'
import { schemaDifferences } from '../../../layers/core/schema-comparison/schema-differences.ts'
import { type CatalogColumn, type CatalogTable, catalogTable } from '../../../layers/core/schemas/catalog.ts'
import type { SchemaDifference } from '../../../layers/core/schemas/recon.ts'
import { column, foreignKey, index, sequence, tableOf } from './tables.ts'

/** Names that differ by case, hold quotes, blanks and keywords. */
const NAMES = ['id', 'Id', 'name', 'a b', 'select', 'o"clock', 'né', 'at', 'USING', 'v1', 'zz', 'full_name']
const TYPES = ['integer', 'bigint', 'text', 'character varying(20)', 'numeric(10,2)', 'date', 'boolean', 'jsonb', 'public.mood', 'text[]']

const quoted = (name: string) => (/^[a-z_][a-z0-9_]*$/.test(name) && name !== 'select' ? name : `"${name.replaceAll('"', '""')}"`)

const someColumn = (name: string) =>
  fc
    .record({
      type: fc.constantFrom(...TYPES),
      nullable: fc.boolean(),
      comment: fc.option(fc.string()),
      collation: fc.constantFrom(null, 'C'),
      value: fc.constantFrom('none', 'default', 'identity', 'generated', 'serial'),
    })
    .map(({ value, ...more }) =>
      column(name, more.type, {
        ...more,
        ...(value === 'default' ? { default: "'x'::text" } : {}),
        ...(value === 'serial' ? { default: `nextval('public.s_${NAMES.indexOf(name)}'::regclass)` } : {}),
        ...(value === 'identity' ? { identity: true, identity_kind: 'by-default' as const } : {}),
        ...(value === 'generated' ? { generated: true, generation: { expression: `(${quoted(name)} || 'x'::text)`, stored: true } } : {}),
      }),
    )

const someTable: fc.Arbitrary<CatalogTable> = fc
  .uniqueArray(fc.constantFrom(...NAMES), { minLength: 3, maxLength: 8 })
  .chain((names) => fc.tuple(...names.map(someColumn)))
  .chain((columns) => {
    const some = fc.uniqueArray(fc.constantFrom(...columns.map((one) => one.name)), { minLength: 1, maxLength: 3 })
    const sets = fc.uniqueArray(some, { maxLength: 3, selector: (set) => [...set].sort().join('\u0000') })
    const list = (set: readonly string[]) => set.map(quoted).join(', ')
    return fc
      .record({
        key: fc.option(some),
        uniques: sets,
        indexes: sets,
        foreign: sets,
        checked: sets,
        comment: fc.option(fc.string()),
        parts: fc.nat(3),
      })
      .map(({ key, uniques, indexes, foreign, checked, comment, parts }) =>
        tableOf(columns, {
          comment,
          primary_key: key,
          primary_key_definition: key === null ? null : `PRIMARY KEY (${list(key)})`,
          unique_keys: uniques.map((set, i) => ({ name: `u${i}`, columns: set, nullable: true, definition: `UNIQUE (${list(set)})` })),
          indexes: indexes.map((set, i) => index(`USING btree (${list(set)})`, { name: `i${i}` })),
          foreign_keys: foreign.map((set, i) =>
            foreignKey({
              name: `f${i}`,
              columns: set,
              references: { schema: 'public', name: 'parent', columns: set.map((_, n) => `k${n}`) },
            }),
          ),
          checks: checked.map((set, i) => ({
            name: `c${i}`,
            expression: `(${set.map((name) => `(${quoted(name)} IS NOT NULL)`).join(' OR ')})`,
            rules: '',
          })),
          ...(parts === 0
            ? {}
            : {
                kind: 'partitioned' as const,
                partition_key: `RANGE (${quoted(columns[0]!.name)})`,
                partition_bounds: Array.from({ length: parts }, (_, i) => ({
                  name: `p${i}`,
                  definition: `FOR VALUES FROM (${i}) TO (${i + 1})`,
                })),
              }),
          sequences: columns
            .filter((one) => one.identity || one.default?.startsWith('nextval'))
            .map((one) => sequence(one.name, { name: `s_${NAMES.indexOf(one.name)}` })),
        }),
      )
  })

type Mutation = { what: string; expected: SchemaDifference['kind']; apply(table: CatalogTable, pick: number): CatalogTable | null }

const at = <T>(list: readonly T[], pick: number): T | undefined => list[pick % Math.max(list.length, 1)]

function onColumn(
  what: string,
  expected: SchemaDifference['kind'],
  change: (one: CatalogColumn) => Partial<CatalogColumn> | null,
): Mutation {
  return {
    what,
    expected,
    apply(table, pick) {
      const chosen = at(table.columns, pick)!
      const changed = change(chosen)
      return changed && { ...table, columns: table.columns.map((one) => (one === chosen ? { ...one, ...changed } : one)) }
    },
  }
}

function without<K extends 'unique_keys' | 'foreign_keys' | 'checks' | 'indexes'>(field: K, expected: SchemaDifference['kind']): Mutation {
  return {
    what: `one of ${field} goes`,
    expected,
    apply(table, pick) {
      const gone = at<unknown>(table[field], pick)
      return gone === undefined ? null : { ...table, [field]: (table[field] as unknown[]).filter((one) => one !== gone) }
    },
  }
}

const named = (table: CatalogTable, name: string) =>
  JSON.stringify([table.primary_key, table.unique_keys, table.indexes, table.foreign_keys, table.checks, table.partition_key]).includes(
    JSON.stringify(name).slice(1, -1),
  )

const MUTATIONS: Mutation[] = [
  {
    what: 'a column goes',
    expected: 'column_removed',
    apply(table, pick) {
      // A column that keys or expressions name cannot go alone.
      const gone = at(
        table.columns.filter((one) => !named(table, one.name) && !named(table, quoted(one.name))),
        pick,
      )
      return gone === undefined ? null : { ...table, columns: table.columns.filter((one) => one !== gone) }
    },
  },
  {
    what: 'two columns change places',
    expected: 'column_order',
    apply: (table) => ({ ...table, columns: [table.columns[1]!, table.columns[0]!, ...table.columns.slice(2)] }),
  },
  onColumn('a type', 'column_type', (one) => ({ type: one.type === 'uuid' ? 'date' : 'uuid' })),
  onColumn('a modifier', 'column_type', (one) => {
    const other = { 'numeric(10,2)': 'numeric(10,3)', 'character varying(20)': 'character varying(21)' }[one.type]
    return other === undefined ? null : { type: other }
  }),
  onColumn('nullability', 'nullability', (one) => ({ nullable: !one.nullable })),
  onColumn('a collation', 'collation', (one) => ({ collation: one.collation === null ? 'POSIX' : null })),
  onColumn('a comment', 'comment', (one) => ({ comment: `${one.comment ?? ''}!` })),
  onColumn('a default', 'default', (one) => (one.identity || one.generated ? null : { default: "'another'::text" })),
  onColumn('an identity', 'identity', (one) => (one.identity ? { identity_kind: 'always' as const } : null)),
  onColumn('an expression', 'generated', (one) => (one.generated ? { generation: { expression: '1', stored: true } } : null)),
  { what: 'the table comment', expected: 'comment', apply: (table) => ({ ...table, comment: `${table.comment ?? ''}!` }) },
  {
    what: 'the primary key',
    expected: 'constraint',
    apply: (table) => (table.primary_key === null ? null : { ...table, primary_key: null, primary_key_definition: null }),
  },
  without('unique_keys', 'constraint'),
  without('foreign_keys', 'constraint'),
  without('checks', 'constraint'),
  without('indexes', 'index'),
  {
    what: 'a foreign key is not validated',
    expected: 'constraint',
    apply(table, pick) {
      const chosen = at(table.foreign_keys, pick)
      return chosen === undefined
        ? null
        : { ...table, foreign_keys: table.foreign_keys.map((key) => (key === chosen ? { ...key, validated: false } : key)) }
    },
  },
  {
    what: 'a partition',
    expected: 'partition',
    apply: (table) => (table.partition_bounds?.length ? { ...table, partition_bounds: table.partition_bounds.slice(1) } : null),
  },
  {
    what: 'a sequence falls behind',
    expected: 'sequence',
    apply(table, pick) {
      const chosen = at(table.sequences ?? [], pick)
      return chosen === undefined
        ? null
        : { ...table, sequences: table.sequences!.map((one) => (one === chosen ? { ...one, last_value: '2' } : one)) }
    },
  },
]

const renamedThings = (table: CatalogTable): CatalogTable => ({
  ...table,
  unique_keys: table.unique_keys.map((one) => ({ ...one, name: `other_${one.name}` })).toReversed(),
  foreign_keys: table.foreign_keys.map((one) => ({ ...one, name: `other_${one.name}` })).toReversed(),
  checks: table.checks.map((one) => ({ ...one, name: `other_${one.name}` })).toReversed(),
  indexes: table.indexes.map((one) => ({ ...one, name: `other_${one.name}` })).toReversed(),
  partition_bounds: (table.partition_bounds ?? []).map((one) => ({ ...one, name: `other_${one.name}` })).toReversed(),
})

const MIRROR: Partial<Record<SchemaDifference['kind'], SchemaDifference['kind']>> = {
  column_removed: 'column_added',
  column_added: 'column_removed',
}

it('a table differs in nothing from itself under other names of constraints and indexes', () => {
  fc.assert(
    fc.property(someTable, (table) => {
      expect(schemaDifferences({ source: catalogTable.parse(table), target: renamedThings(table) })).toEqual([])
    }),
    { numRuns: 500 },
  )
})

it.each(MUTATIONS)('$what: that difference and no other, and the same one seen from the other side', ({ expected, apply }) => {
  let applied = 0
  fc.assert(
    fc.property(someTable, fc.nat(20), (table, pick) => {
      const changed = apply(table, pick)
      if (changed === null) return
      applied++
      const there = schemaDifferences({ source: table, target: renamedThings(changed) })
      const back = schemaDifferences({ source: changed, target: renamedThings(table) })
      expect(there.map((one) => one.kind)).toEqual([expected])
      const [one] = there
      expect(back.map(({ severity, ...other }) => other)).toEqual([
        {
          kind: MIRROR[expected] ?? expected,
          where: one!.where,
          source: one!.target,
          target: one!.source,
          planned: false,
        },
      ])
    }),
    { numRuns: 300 },
  )
  expect(applied).toBeGreaterThan(20)
})
