import { describe, expect, it } from 'vitest'
import { schemaDifferences } from '../../../layers/core/schema-comparison/schema-differences.ts'
import { type CatalogTable, catalogTable } from '../../../layers/core/schemas/catalog.ts'
import { schemaDifference } from '../../../layers/core/schemas/recon.ts'
import { column, foreignKey, index, sequence, tableOf } from './tables.ts'

const columns = [column('a'), column('b', 'text')]

function found(source: CatalogTable, target: CatalogTable, options: Parameters<typeof schemaDifferences>[1] = {}) {
  const differences = schemaDifferences({ source: catalogTable.parse(source), target: catalogTable.parse(target) }, options)
  for (const difference of differences) schemaDifference.parse(difference)
  return differences.map(({ kind, severity, source: from, target: to }) => [kind, severity, from, to])
}

type Case = [what: string, source: CatalogTable, target: CatalogTable, ...expected: (string | null)[]]
const change = (what: string, of: Partial<CatalogTable>, to: Partial<CatalogTable>, ...expected: (string | null)[]): Case => [
  what,
  tableOf(columns, of),
  tableOf(columns, to),
  ...expected,
]
const changed = (
  what: string,
  of: Parameters<typeof column>[2],
  to: Parameters<typeof column>[2],
  ...expected: (string | null)[]
): Case => [what, tableOf([column('a'), column('b', 'text', of)]), tableOf([column('a'), column('b', 'text', to)]), ...expected]
const typed = (from: string, to: string, severity: string): Case => [
  `${from} to ${to}`,
  tableOf([column('a', from)]),
  tableOf([column('a', to)]),
  'column_type',
  severity,
  from,
  to,
]
const unique = (definition: string, names: string[], name = 'u') => ({ name, columns: names, nullable: true, definition })

describe('one fact changed is one difference', () => {
  it.each<Case>([
    ['a column is missing', tableOf(columns), tableOf([column('a')]), 'column_removed', 'CRITICAL', 'text', null],
    ['a column is added', tableOf([column('a')]), tableOf(columns), 'column_added', 'ERROR', null, 'text'],
    ['columns change places', tableOf(columns), tableOf(columns.toReversed()), 'column_order', 'INFO', 'a, b', 'b, a'],
    typed('integer', 'bigint', 'WARNING'),
    typed('bigint', 'integer', 'ERROR'),
    typed('numeric(10,2)', 'numeric(12,2)', 'WARNING'),
    typed('numeric(10,2)', 'numeric(10,1)', 'ERROR'),
    typed('character varying(10)', 'character varying(5)', 'ERROR'),
    typed('character varying(10)', 'text', 'WARNING'),
    typed('timestamp(6) with time zone', 'timestamp(0) with time zone', 'ERROR'),
    typed('integer', 'text', 'WARNING'),
    typed('text', 'integer', 'ERROR'),
    typed('public.mood', 'public.humour', 'ERROR'),
    changed(
      'an enum loses a label',
      { type_definition: "('x', 'y')" },
      { type_definition: "('x')" },
      'column_type',
      'ERROR',
      "text ('x', 'y')",
      "text ('x')",
    ),
    changed(
      'an enum gains a label',
      { type_definition: "('x')" },
      { type_definition: "('x', 'y')" },
      'column_type',
      'WARNING',
      "text ('x')",
      "text ('x', 'y')",
    ),
    changed(
      'a domain gets a rule',
      { type_definition: 'integer' },
      { type_definition: 'integer CHECK ((VALUE > 0))' },
      'column_type',
      'WARNING',
      'text integer',
      'text integer CHECK ((VALUE > 0))',
    ),
    changed(
      'a domain gets a smaller base',
      { type_definition: 'bigint NOT NULL' },
      { type_definition: 'integer NOT NULL' },
      'column_type',
      'ERROR',
      'text bigint NOT NULL',
      'text integer NOT NULL',
    ),
    changed('a collation', { collation: 'C' }, {}, 'collation', 'WARNING', 'C', null),
    change(
      'the database sorts otherwise',
      { default_collation: 'icu en-US' },
      { default_collation: 'libc C' },
      'collation',
      'WARNING',
      'database default icu en-US',
      'database default libc C',
    ),
    changed('NULL is refused', {}, { nullable: false }, 'nullability', 'WARNING', 'NULL allowed', 'NOT NULL'),
    changed('NULL is allowed', { nullable: false }, {}, 'nullability', 'WARNING', 'NOT NULL', 'NULL allowed'),
    changed('a default', { default: "'x'::text" }, { default: "'y'::text" }, 'default', 'WARNING', "'x'::text", "'y'::text"),
    changed('a default is lost', { default: 'now()' }, {}, 'default', 'WARNING', 'now()', null),
    changed(
      'a generated expression',
      { generated: true, generation: { expression: '(a * 2)', stored: true } },
      { generated: true, generation: { expression: '(a * 3)', stored: true } },
      'generated',
      'WARNING',
      'GENERATED ALWAYS AS ((a * 2)) STORED',
      'GENERATED ALWAYS AS ((a * 3)) STORED',
    ),
    changed(
      'stored becomes virtual',
      { generated: true, generation: { expression: 'a', stored: true } },
      { generated: true, generation: { expression: 'a', stored: false } },
      'generated',
      'WARNING',
      'GENERATED ALWAYS AS (a) STORED',
      'GENERATED ALWAYS AS (a) VIRTUAL',
    ),
    changed(
      'no longer generated',
      { generated: true, generation: { expression: 'a', stored: true } },
      {},
      'generated',
      'WARNING',
      'GENERATED ALWAYS AS (a) STORED',
      null,
    ),
    changed(
      'an identity',
      { identity: true, identity_kind: 'always' },
      { identity: true, identity_kind: 'by-default' },
      'identity',
      'WARNING',
      'GENERATED ALWAYS AS IDENTITY',
      'GENERATED BY DEFAULT AS IDENTITY',
    ),
    changed(
      'serial becomes identity',
      { default: "nextval('t_b_seq'::regclass)" },
      { identity: true, identity_kind: 'by-default' },
      'identity',
      'INFO',
      "nextval('t_b_seq'::regclass)",
      'GENERATED BY DEFAULT AS IDENTITY',
    ),
    changed(
      'serial becomes an identity that refuses given numbers',
      { default: "nextval('t_b_seq'::regclass)" },
      { identity: true, identity_kind: 'always' },
      'identity',
      'WARNING',
      "nextval('t_b_seq'::regclass)",
      'GENERATED ALWAYS AS IDENTITY',
    ),
    changed('a column comment', { comment: 'x' }, { comment: 'y' }, 'comment', 'INFO', 'x', 'y'),
    change('a table comment', {}, { comment: 'y' }, 'comment', 'INFO', null, 'y'),
    change(
      'no primary key',
      { primary_key: ['a'], primary_key_definition: 'PRIMARY KEY (a)' },
      {},
      'constraint',
      'WARNING',
      'PRIMARY KEY (a)',
      null,
    ),
    change(
      'another primary key',
      { primary_key: ['a'], primary_key_definition: 'PRIMARY KEY (a)' },
      { primary_key: ['b'], primary_key_definition: 'PRIMARY KEY (b)' },
      'constraint',
      'WARNING',
      'PRIMARY KEY (a)',
      'PRIMARY KEY (b)',
    ),
    change(
      'a primary key in another order',
      { primary_key: ['a', 'b'], primary_key_definition: 'PRIMARY KEY (a, b)' },
      { primary_key: ['b', 'a'], primary_key_definition: 'PRIMARY KEY (b, a)' },
      'constraint',
      'INFO',
      'PRIMARY KEY (a, b)',
      'PRIMARY KEY (b, a)',
    ),
    change('a unique key is lost', { unique_keys: [unique('UNIQUE (b)', ['b'])] }, {}, 'constraint', 'WARNING', 'UNIQUE (b)', null),
    change(
      'a unique key counts NULLs',
      { unique_keys: [unique('UNIQUE (b)', ['b'])] },
      { unique_keys: [unique('UNIQUE NULLS NOT DISTINCT (b)', ['b'])] },
      'constraint',
      'WARNING',
      'UNIQUE (b)',
      'UNIQUE NULLS NOT DISTINCT (b)',
    ),
    change(
      'a foreign key is not validated',
      { foreign_keys: [foreignKey()] },
      { foreign_keys: [foreignKey({ validated: false, rules: 'NOT VALID' })] },
      'constraint',
      'WARNING',
      'FOREIGN KEY (a) REFERENCES public.parent (id)',
      'FOREIGN KEY (a) REFERENCES public.parent (id) NOT VALID',
    ),
    change(
      'a foreign key deletes',
      { foreign_keys: [foreignKey()] },
      { foreign_keys: [foreignKey({ rules: 'ON DELETE CASCADE' })] },
      'constraint',
      'WARNING',
      'FOREIGN KEY (a) REFERENCES public.parent (id)',
      'FOREIGN KEY (a) REFERENCES public.parent (id) ON DELETE CASCADE',
    ),
    change(
      'a foreign key points elsewhere',
      { foreign_keys: [foreignKey()] },
      { foreign_keys: [foreignKey({ references: { schema: 'public', name: 'other', columns: ['id'] } })] },
      'constraint',
      'WARNING',
      'FOREIGN KEY (a) REFERENCES public.parent (id)',
      'FOREIGN KEY (a) REFERENCES public.other (id)',
    ),
    change(
      'a check',
      { checks: [{ name: 'c', expression: '(a > 0)', rules: '' }] },
      { checks: [{ name: 'c', expression: '(a > 1)', rules: '' }] },
      'constraint',
      'WARNING',
      'CHECK ((a > 0))',
      'CHECK ((a > 1))',
    ),
    change(
      'a check is not validated',
      { checks: [{ name: 'c', expression: '(a > 0)', rules: '' }] },
      { checks: [{ name: 'c', expression: '(a > 0)', rules: 'NOT VALID' }] },
      'constraint',
      'WARNING',
      'CHECK ((a > 0))',
      'CHECK ((a > 0)) NOT VALID',
    ),
    change(
      'an exclusion is lost',
      { exclusions: [{ name: 'x', definition: 'EXCLUDE USING gist (b WITH &&)' }] },
      {},
      'constraint',
      'WARNING',
      'EXCLUDE USING gist (b WITH &&)',
      null,
    ),
    change('an index is missing', { indexes: [index('USING btree (b)')] }, {}, 'index', 'WARNING', 'INDEX USING btree (b)', null),
    change('an index is added', {}, { indexes: [index('USING btree (b)')] }, 'index', 'INFO', null, 'INDEX USING btree (b)'),
    change(
      'an index method',
      { indexes: [index('USING btree (b)')] },
      { indexes: [index('USING hash (b)')] },
      'index',
      'WARNING',
      'INDEX USING btree (b)',
      'INDEX USING hash (b)',
    ),
    change(
      'an operator class',
      { indexes: [index('USING btree (b)')] },
      { indexes: [index('USING btree (b text_pattern_ops)')] },
      'index',
      'WARNING',
      'INDEX USING btree (b)',
      'INDEX USING btree (b text_pattern_ops)',
    ),
    change(
      'a predicate',
      { indexes: [index('USING btree (b) WHERE (b > 0)')] },
      { indexes: [index('USING btree (b) WHERE (b > 1)')] },
      'index',
      'WARNING',
      'INDEX USING btree (b) WHERE (b > 0)',
      'INDEX USING btree (b) WHERE (b > 1)',
    ),
    change(
      'an invalid index',
      { indexes: [index('USING btree (b)')] },
      { indexes: [index('USING btree (b)', { valid: false })] },
      'index',
      'WARNING',
      'INDEX USING btree (b)',
      'INDEX USING btree (b) (invalid)',
    ),
    change(
      'a unique index',
      {},
      { indexes: [index('USING btree (b)', { unique: true })] },
      'index',
      'WARNING',
      null,
      'UNIQUE INDEX USING btree (b)',
    ),
    change(
      'partitioned or not',
      { kind: 'partitioned', partition_key: 'RANGE (a)' },
      {},
      'partition',
      'INFO',
      'PARTITION BY RANGE (a)',
      null,
    ),
    change(
      'a partition is missing',
      { kind: 'partitioned', partition_key: 'RANGE (a)', partition_bounds: [{ name: 'p', definition: 'DEFAULT' }] },
      { kind: 'partitioned', partition_key: 'RANGE (a)' },
      'partition',
      'WARNING',
      'DEFAULT',
      null,
    ),
    change(
      'a partition is added',
      { kind: 'partitioned', partition_key: 'RANGE (a)' },
      { kind: 'partitioned', partition_key: 'RANGE (a)', partition_bounds: [{ name: 'p', definition: 'DEFAULT' }] },
      'partition',
      'INFO',
      null,
      'DEFAULT',
    ),
    change('a view', {}, { kind: 'view' }, 'table_kind', 'WARNING', 'table', 'view'),
    change('a table that inherits', {}, { inherited_by: ['a.heir'] }, 'table_kind', 'WARNING', 'table', 'table, with the rows of a.heir'),
    change(
      'a trigger',
      { triggers: [{ name: 'x', definition: 'BEFORE INSERT EXECUTE FUNCTION public.f()' }] },
      { triggers: [{ name: 'x', definition: 'BEFORE INSERT EXECUTE FUNCTION public.f() DISABLED' }] },
      'trigger',
      'WARNING',
      'x: BEFORE INSERT EXECUTE FUNCTION public.f()',
      'x: BEFORE INSERT EXECUTE FUNCTION public.f() DISABLED',
    ),
    change('a policy', { policies: [{ name: 'p', definition: 'FOR ALL' }] }, {}, 'policy', 'WARNING', 'p: FOR ALL', null),
    change('row security', {}, { row_security: 'forced' }, 'policy', 'WARNING', 'row security off', 'row security forced'),
    change(
      'a sequence counts in other steps',
      { sequences: [sequence('a')] },
      { sequences: [sequence('a', { increment: '2' })] },
      'sequence',
      'WARNING',
      'AS integer START 1 INCREMENT 1 MINVALUE 1 MAXVALUE 2147483647',
      'AS integer START 1 INCREMENT 2 MINVALUE 1 MAXVALUE 2147483647',
    ),
    change(
      'a sequence is behind its table',
      { sequences: [sequence('a')] },
      { sequences: [sequence('a', { last_value: '9' })] },
      'sequence',
      'ERROR',
      'last value 10, the column reaches 10',
      'last value 9, the column reaches 10',
    ),
    change(
      'a sequence never used below a full table',
      { sequences: [sequence('a')] },
      { sequences: [sequence('a', { last_value: null })] },
      'sequence',
      'ERROR',
      'last value 10, the column reaches 10',
      'last value none, the column reaches 10',
    ),
    change(
      'sequences behind on both sides',
      { sequences: [sequence('a', { last_value: '3' })] },
      { sequences: [sequence('a', { last_value: '3' })] },
      'sequence',
      'WARNING',
      'last value 3, the column reaches 10',
      'last value 3, the column reaches 10',
    ),
    change(
      'a sequence behind in the source only',
      { sequences: [sequence('a', { last_value: '3' })] },
      { sequences: [sequence('a')] },
      'sequence',
      'INFO',
      'last value 3, the column reaches 10',
      'last value 10, the column reaches 10',
    ),
    change(
      'a descending sequence behind its table',
      { sequences: [sequence('a', { increment: '-1', last_value: '-5', reached: '-5' })] },
      { sequences: [sequence('a', { increment: '-1', last_value: '-4', reached: '-5' })] },
      'sequence',
      'ERROR',
      'last value -5, the column reaches -5',
      'last value -4, the column reaches -5',
    ),
    change(
      'sequences that stand elsewhere, neither behind',
      { sequences: [sequence('a', { last_value: '12' })] },
      { sequences: [sequence('a')] },
      'sequence',
      'INFO',
      'last value 12, the column reaches 10',
      'last value 10, the column reaches 10',
    ),
  ])('%s', (_what, source, target, ...expected) => {
    expect(found(source, target)).toEqual([expected])
    // Two sequences that are behind remain a finding, however equal they are.
    const again = [...found(source, source), ...found(target, target)].filter(([kind]) => kind !== 'sequence')
    expect(again).toEqual([])
  })
})

describe('what says the same is no difference', () => {
  const same = (source: CatalogTable, target: CatalogTable) => expect(found(source, target)).toEqual([])

  it('names of keys, checks, indexes, partitions and owned sequences', () => {
    const named = (tag: string) =>
      tableOf([column('a', 'integer', { default: `nextval('public.${tag}_seq'::regclass)` }), column('b', 'text')], {
        unique_keys: [unique('UNIQUE (b)', ['b'], tag)],
        foreign_keys: [foreignKey({ name: tag })],
        checks: [{ name: tag, expression: '(a > 0)' }],
        indexes: [index('USING btree (b)', { name: tag, definition: `CREATE INDEX ${tag} ON public.t USING btree (b)` })],
        partitions: [tag],
        partition_key: 'RANGE (a)',
        partition_bounds: [{ name: tag, definition: 'FOR VALUES FROM (0) TO (5)' }],
        sequences: [sequence('a', { name: `${tag}_seq` })],
        triggers: [{ name: tag, definition: 'BEFORE INSERT EXECUTE FUNCTION public.f()' }],
      })
    same(named('x'), named('y'))
  })

  it('a sequence of its own and a shared one are not the same', () => {
    const fed = (owned: boolean) =>
      tableOf([column('a', 'integer', { default: "nextval('public.s'::regclass)" })], { sequences: [sequence('a', { name: 's', owned })] })
    expect(found(fed(true), fed(false)).map(([kind]) => kind)).toEqual(['default', 'sequence'])
  })

  it('a column that takes its default from another sequence than its own is told so', () => {
    const fed = (from: string) =>
      tableOf([column('a', 'integer', { default: `nextval('public.${from}'::regclass)` })], {
        sequences: [sequence('a', { name: 'own' }), sequence('a', { name: 'shared', owned: false })],
      })
    expect(found(fed('own'), fed('shared')).map(([kind]) => kind)).toEqual(['default'])
  })

  it('of two sequences the column’s own is the one that may be behind', () => {
    const behind = sequence('a', { name: 'shared', owned: false, last_value: '1' })
    const both = tableOf(columns, { sequences: [behind, sequence('a')] })
    expect(found(both, both)).toEqual([])
  })

  it('a wider number has a wider sequence', () => {
    const of = (type: string, max: string) => tableOf([column('a', type)], { sequences: [sequence('a', { type, max })] })
    expect(found(of('integer', '2147483647'), of('bigint', '9223372036854775807')).map(([kind]) => kind)).toEqual(['column_type'])
  })

  it('a trigger of another name that is switched off is one difference', () => {
    const of = (name: string, state: string) => tableOf(columns, { triggers: [{ name, definition: `BEFORE INSERT${state}` }] })
    expect(found(of('x', ''), of('y', ' DISABLED'))).toHaveLength(1)
  })

  it('spellings of one default', () => {
    const of = (type: string, text: string | null) => tableOf([column('a', type, { default: text })])
    same(of('text', "'x'::text"), of('text', "'x'"))
    same(of('character varying(5)', "'x'::character varying"), of('character varying(5)', "'x'::text"))
    same(of('integer', "'-1'::integer"), of('integer', '(-1)'))
    same(of('text', 'NULL::text'), of('text', null))
    same(of('timestamp with time zone', 'now()'), of('timestamp with time zone', 'CURRENT_TIMESTAMP'))
  })

  it('the default collation of a database whose text columns have their own', () => {
    const of = (default_collation: string) => tableOf([column('a'), column('b', 'text', { collation: 'C' })], { default_collation })
    same(of('icu en-US'), of('libc C'))
  })

  it('sequences of which a figure is unknown, or is no number', () => {
    const { last_value, reached, ...bare } = sequence('a')
    for (const one of [bare, { ...bare, last_value: '1' }, { ...bare, reached: '99' }, { ...bare, last_value: '1', reached: 'x' }]) {
      same(tableOf(columns, { sequences: [one] }), tableOf(columns, { sequences: [one] }))
    }
  })

  it('order of keys, checks and indexes, and one said twice', () => {
    const checks = [
      { name: 'x', expression: '(a > 0)' },
      { name: 'y', expression: '(a < 9)' },
    ]
    same(tableOf(columns, { checks }), tableOf(columns, { checks: [...checks.toReversed(), ...checks] }))
  })

  it('an index that carries out a constraint', () => {
    same(tableOf(columns, { indexes: [index('USING btree (b)', { constraint: true })] }), tableOf(columns))
  })

  it('schemas of another name, for keys within and types of their own', () => {
    const inSchema = (schema: string) =>
      tableOf([column('a'), column('m', `${schema}.mood`, { default: `'x'::${schema}.mood`, type_definition: "('x')" })], {
        schema,
        foreign_keys: [foreignKey({ references: { schema, name: 't', columns: ['a'] } })],
      })
    same(inSchema('old'), inSchema('new'))
  })

  it('facts that one side did not read', () => {
    const { primary_key_definition, exclusions, partition_key, partition_bounds, sequences, triggers, row_security, policies, ...bare } =
      tableOf([column('id', 'integer', { default: "nextval('s'::regclass)" })], { primary_key: ['id'] })
    const full = tableOf([column('id', 'integer', { default: "nextval('s'::regclass)" })], {
      primary_key: ['id'],
      primary_key_definition: 'PRIMARY KEY (id)',
      triggers: [{ name: 'x', definition: 'BEFORE INSERT' }],
      row_security: 'on',
      partition_key: 'RANGE (id)',
    })
    const computed = column('g', 'integer', { generated: true, generation: { expression: 'a', stored: true } })
    const { generation: _, ...unread } = computed
    expect(found(tableOf([computed]), tableOf([unread]))).toEqual([])
    expect(found(bare, full)).toEqual([])
    expect(found(full, bare)).toEqual([])
  })

  it('what a file does not keep: only columns and, as a remark, their types', () => {
    const file = tableOf([column('a', 'bigint'), column('b', 'text')], { kind: 'file' })
    const table = tableOf([column('a', 'bigint', { nullable: false, comment: 'x' }), column('b', 'character varying(5)')], {
      primary_key: ['a'],
      primary_key_definition: 'PRIMARY KEY (a)',
      indexes: [index('USING btree (b)')],
    })
    expect(found(file, table)).toEqual([['column_type', 'INFO', 'text', 'character varying(5)']])
  })
})

it('a view declares nothing: its kind, its types and its comments are all there is to compare', () => {
  const table = tableOf([column('a', 'integer', { nullable: false, default: '5', comment: 'x' }), column('b', 'text')], {
    primary_key: ['a'],
    primary_key_definition: 'PRIMARY KEY (a)',
    indexes: [index('USING btree (b)')],
    triggers: [{ name: 'x', definition: 'BEFORE INSERT' }],
  })
  const view = tableOf([column('a', 'bigint'), column('b', 'text')], { kind: 'view' })
  expect(found(table, view).map(([kind]) => kind)).toEqual(['column_type', 'comment', 'table_kind'])
})

describe('what whoever compares says', () => {
  it('excluded columns are not spoken of, nor keys and indexes on them', () => {
    const source = tableOf(columns, {
      indexes: [index('USING btree (b)')],
      checks: [{ name: 'c', expression: "(b <> ''::text)" }],
      unique_keys: [unique('UNIQUE (a, b)', ['a', 'b'])],
      foreign_keys: [foreignKey({ columns: ['b'] })],
    })
    expect(found(source, tableOf([column('a')]), { excludeColumns: ['b'] })).toEqual([])
  })

  it('an excluded column has no place among the others', () => {
    const [a, b, c] = [column('a'), column('b'), column('c')]
    expect(found(tableOf([a, b, c]), tableOf([b, a, c]), { excludeColumns: ['b'] })).toEqual([])
  })

  it('renamed columns are one column, in keys, checks and expressions too', () => {
    const of = (name: string) =>
      tableOf([column('a'), column(name, 'text')], {
        unique_keys: [unique(`UNIQUE (${name})`, [name])],
        checks: [{ name: 'c', expression: `(${name} <> ''::text)` }],
        indexes: [index(`USING btree (lower(${name}))`)],
      })
    const options = { rename: { w: 'b' } }
    expect(schemaDifferences({ source: of('b'), target: of('w') }, options)).toEqual([
      { kind: 'column_renamed', where: 'public.t.w', source: 'b', target: 'w', severity: 'INFO', planned: true },
    ])
    expect(found(of('b'), of('w')).length).toBeGreaterThan(2)
  })

  it('a renamed column that a key of its own table refers to', () => {
    const of = (name: string) =>
      tableOf([column('a'), column(name)], { foreign_keys: [foreignKey({ references: { schema: 'public', name: 't', columns: [name] } })] })
    expect(found(of('id'), of('number'), { rename: { number: 'id' } }).map(([kind]) => kind)).toEqual(['column_renamed'])
  })

  it('a table that stands for another', () => {
    const of = (name: string) =>
      tableOf(columns, { foreign_keys: [foreignKey({ references: { schema: 'public', name, columns: ['id'] } })] })
    expect(found(of('parent'), of('parents'))).toHaveLength(1)
    expect(found(of('parent'), of('parents'), { targetOf: (table) => ({ ...table, name: `${table.name}s` }) })).toEqual([])
  })
})
