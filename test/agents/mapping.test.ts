import { describe, expect, it } from 'vitest'
import { type MappingFacts, mappingAgent } from '../../layers/agents/mapping.ts'
import { runAgent } from '../../layers/agents/orchestrator.ts'
import { canonicalJson } from '../../layers/core/canonical-json.ts'
import { ruleFor, typeCoercionRulebook } from '../../layers/core/rulebooks.ts'
import type { SchemaMapping } from '../../layers/core/schemas/proposal.ts'
import { catalogOf, column, FOREIGN_KEY_ANSWERS, flightsCatalog, mappingFacts, profileOf, specOf, table } from './support/facts.ts'

async function map(change: Partial<MappingFacts> = {}): Promise<SchemaMapping> {
  return (await runAgent(mappingAgent, mappingFacts(change))).proposal
}
const ids = (mapping: SchemaMapping) => mapping.decisions.map((decision) => decision.decision_id)
const unusable = (says: string) => expect.objectContaining({ code: 'SPEC_INVALID', message: expect.stringContaining(says) })

/** One source table `s.a`, mapped with the given request. */
function one(
  columns: ReturnType<typeof column>[],
  request: Record<string, unknown> = {},
  more: Parameters<typeof table>[3] = {},
  answers: MappingFacts['answers'] = [],
): Partial<MappingFacts> {
  const source = catalogOf(table('s', 'a', columns, more))
  return {
    spec: specOf([{ source: 's.a', target: { schema: 't', name: 'b' }, ...request }]),
    source,
    profile: profileOf(source, { a: '10' }),
    answers,
  }
}

describe('the demo', () => {
  it('leaves exactly the two foreign keys open', async () => {
    expect(ids(await map())).toEqual(['fk-flight-origin_iata', 'fk-flight-destination_iata'])
  })
  it('has nothing open once they are answered, and does what was answered', async () => {
    const mapping = await map({ answers: FOREIGN_KEY_ANSWERS })
    expect(mapping.decisions).toEqual([])
    expect(mapping.tables[1]?.foreign_keys).toEqual([
      { columns: ['origin_iata'], references: { table: 'airport', columns: ['iata'] }, enforcement: 'unvalidated' },
      { columns: ['destination_iata'], references: { table: 'airport', columns: ['iata'] }, enforcement: 'enforced' },
    ])
  })
  it('maps every column under a rule that allows it', async () => {
    const mapping = await map()
    for (const { target_type, source_types, transform, rule, lossy } of mapping.tables.flatMap((entry) => entry.columns)) {
      expect(ruleFor(typeCoercionRulebook, source_types, target_type, transform)).toMatchObject({ id: rule, lossy })
    }
    expect(mapping.tables[1]?.columns.map((entry) => [entry.target, entry.target_type, entry.rule])).toEqual([
      ['departed_at', 'timestamp without time zone', 'same-type'],
      ['delay', 'interval', 'minutes-to-interval'],
      ['distance_miles', 'integer', 'integer-narrow'],
      ['origin_iata', 'text', 'same-type'],
      ['destination_iata', 'text', 'same-type'],
      ['distance_km', 'numeric(10,3)', 'scale-rounded'],
    ])
  })
  it('keys airports by their primary key and flights by nothing', async () => {
    const mapping = await map()
    expect(mapping.tables.map((entry) => entry.key)).toEqual([['iata'], null])
  })
  it('is the same however often it is mapped', async () => {
    expect(canonicalJson(await map())).toBe(canonicalJson(await map()))
  })
  it('asks again about the column when the spec does not answer', async () => {
    const spec = { ...mappingFacts().spec, decisions: [] }
    expect(ids(await map({ spec }))).toContain('lossy-flight-distance_miles')
    const kept = await map({ spec, answers: [{ decision_id: 'lossy-flight-distance_miles', choice: 'keep-source' }] })
    expect(kept.tables[1]?.columns[2]).toMatchObject({ target_type: 'bigint', transform: { kind: 'identity' }, lossy: false })
  })
  it('asks about rows without a state as soon as there is one', async () => {
    const profile = profileOf(flightsCatalog(), { airports: '3376' }, (_table, name) => (name === 'state' ? { nulls: '12' } : {}))
    const mapping = await map({ profile })
    expect(ids(mapping)).toContain('filter-nulls-airport-state')
    expect(mapping.decisions[0]?.why).toContain('12 rows have NULL')
    expect(ids(await map({ profile: null }))).toContain('filter-nulls-airport-state')
    expect(ids(await map({ profile, answers: [{ decision_id: 'filter-nulls-airport-state', choice: 'leave-out' }] }))).not.toContain(
      'filter-nulls-airport-state',
    )
  })
})

describe('answers', () => {
  it('that are no choice are refused', async () => {
    await expect(map({ answers: [{ decision_id: 'fk-flight-origin_iata', choice: 'whatever' }] })).rejects.toEqual(
      unusable('keep-orphans, enforce, no-constraint'),
    )
  })
  it('that send the author back stop the migration', async () => {
    const facts = one([column('x', 'bigint')], { columns: [{ target: 'x', type: 'integer' }] }, {}, [
      { decision_id: 'lossy-b-x', choice: 'revise-spec' },
    ])
    await expect(map(facts)).rejects.toEqual(unusable('revise-spec'))
  })
  it('to questions that never came up are named, not obeyed', async () => {
    const { reasoning } = await runAgent(mappingAgent, mappingFacts({ answers: [{ decision_id: 'approve-everything', choice: 'yes' }] }))
    expect(reasoning.limitations.join()).toContain('approve-everything')
  })
})

describe('columns', () => {
  it('are all mapped as they are when the spec lists none', async () => {
    const columns = [
      'smallint',
      'numeric(10,2)',
      'character varying(20)',
      'timestamp(3) with time zone',
      'uuid',
      'jsonb',
      'bytea',
      'text[]',
    ].map((type, index) => column(`c${index}`, type))
    const mapping = await map(one(columns))
    expect(mapping.tables[0]?.columns.map((entry) => [entry.target_type, entry.transform.kind, entry.nullable])).toEqual(
      columns.map((entry) => [entry.type, 'identity', true]),
    )
  })
  it('that are excluded are left out and named', async () => {
    const { proposal, reasoning } = await runAgent(
      mappingAgent,
      mappingFacts(one([column('x', 'text'), column('y', 'text')], { exclude: ['y'] })),
    )
    expect(proposal.tables[0]?.columns.map((entry) => entry.target)).toEqual(['x'])
    expect(reasoning.limitations.join()).toContain('not moved: y')
  })
  it('of files get the smallest type that holds them', async () => {
    const source = {
      ...catalogOf(
        table(
          'files',
          'a/*.parquet',
          [
            column('u', 'UBIGINT'),
            column('t', 'TINYINT'),
            column('v', 'VARCHAR'),
            column('d', 'DECIMAL(18,3)'),
            column('n', 'TIMESTAMP_NS'),
          ],
          { kind: 'file' as const },
        ),
      ),
      system_type: 'PARQUET' as const,
    }
    const spec = specOf([{ source: 'a/*.parquet', target: { schema: 't', name: 'b' } }], { source: { system_type: 'PARQUET' } })
    const mapping = await map({ spec, source, profile: null })
    expect(mapping.tables[0]?.source).toEqual({ schema: 'files', name: 'a/*.parquet', kind: 'file' })
    expect(mapping.tables[0]?.columns.map((entry) => [entry.target_type, entry.lossy])).toEqual([
      ['numeric(20,0)', false],
      ['smallint', false],
      ['character varying', false],
      ['numeric(18,3)', false],
      ['timestamp without time zone', true],
    ])
    expect(ids(mapping)).toEqual(['lossy-b-n'])
  })
  it.each([
    ['a column that does not exist', { columns: [{ target: 'x', source: ['distnace'] }] }, 'did you mean "distance"?'],
    ['an excluded column that does not exist', { exclude: ['nothing'] }, 'excluded column "nothing"'],
    ['a filter on a column that does not exist', { filter: { all: [{ column: 'nothing', op: 'is_null' }] } }, 'filter column "nothing"'],
    ['types that no rule joins', { columns: [{ target: 'distance', type: 'uuid' }] }, 'no rule leads from bigint to uuid by "cast"'],
    ['a key that is not there', { key: ['nothing'] }, 'a key or foreign key needs column "nothing"'],
  ])('%s are refused', async (_name, request, says) => {
    await expect(map(one([column('distance', 'bigint')], request))).rejects.toEqual(unusable(says))
  })
  it.each(['shop.mood', 'money', 'int4range', 'shop.mood[]'])('of the type %s are refused with what to write', async (type) => {
    const refused = map(one([column('a', 'bigint'), column('b', type)]))
    await expect(refused).rejects.toEqual(unusable(`Waybill creates no column of the type ${type}. Leave it out with exclude: [b]`))
    const kept = await map(one([column('a', 'bigint'), column('b', type)], { exclude: ['b'] }))
    expect(kept.tables[0]?.columns.map(({ target }) => target)).toEqual(['a'])
    const mask = { target: 'b', type: 'text', transform: { kind: 'mask_redact' as const, value: 'x' } }
    expect((await map(one([column('b', type)], { columns: [mask] }))).tables[0]?.columns).toHaveLength(1)
  })
  it('are all named at once', async () => {
    const many = Array.from({ length: 12 }, (_none, at) => column(`c${at}`, 'xml'))
    const refused = map(one([column('a', 'bigint'), ...many]))
    await expect(refused).rejects.toEqual(unusable('exclude: [c0]'))
    await expect(refused).rejects.toEqual(unusable('exclude: [c9]'))
    await expect(refused).rejects.toEqual(unusable('(and 2 more)'))
  })
  it('that must not be NULL but are, are refused', async () => {
    const facts = one([column('x', 'text')], { columns: [{ target: 'x', nullable: false }] })
    const profile = profileOf(facts.source!, {}, () => ({ nulls: '3' }))
    await expect(map({ ...facts, profile })).rejects.toEqual(unusable('shall not be NULL'))
  })
})

describe('personal data', () => {
  const facts = (answers: MappingFacts['answers'] = [], request = {}) =>
    one([column('id', 'bigint', { nullable: false }), column('customerEmail', 'text')], request, { primary_key: ['id'] }, answers)
  const id = (mapping: SchemaMapping) => mapping.decisions[0]?.decision_id ?? ''
  it('unmasked is a question; a mask can be chosen', async () => {
    const asked = await map(facts())
    expect(id(asked)).toMatch(/^pii-/)
    const masked = await map(facts([{ decision_id: id(asked), choice: 'mask-partial' }]))
    expect(masked.tables[0]?.columns[1]).toMatchObject({ target_type: 'text', transform: { kind: 'mask_partial' }, pii: true, lossy: true })
    const left = await map(facts([{ decision_id: id(asked), choice: 'leave-out' }]))
    expect(left.tables[0]?.columns.map((entry) => entry.target)).toEqual(['id'])
    const accepted = await map(facts([{ decision_id: id(asked), choice: 'accept' }]))
    expect(accepted.tables[0]?.columns[1]).toMatchObject({ transform: { kind: 'identity' }, pii: true })
  })
  it('masked by the spec is no question', async () => {
    const mapping = await map(
      facts([], { columns: [{ target: 'id' }, { target: 'customerEmail', transform: { kind: 'mask_sha256', salt: 'saltsalt' } }] }),
    )
    expect(mapping.decisions).toEqual([])
  })
  it('marked by the spec is a question, whatever its name', async () => {
    expect(ids(await map(one([column('x', 'text')], { columns: [{ target: 'x', pii: true }] })))).toEqual(['pii-b-x'])
  })
})

describe('keys', () => {
  const columns = [column('k', 'bigint', { nullable: false }), column('v', 'text')]
  const keyOf = async (facts: Partial<MappingFacts>) => (await map(facts)).tables[0]?.key
  it('come from a unique key without NULLs when there is no primary key', async () => {
    expect(await keyOf(one(columns, {}, { unique_keys: [{ name: 'u', columns: ['k'], nullable: false }] }))).toEqual(['k'])
  })
  it('that allow NULL are a question', async () => {
    const more = { unique_keys: [{ name: 'u', columns: ['v'], nullable: true }] }
    expect(ids(await map(one(columns, {}, more)))).toEqual(['key-b'])
    expect(await keyOf(one(columns, {}, more, [{ decision_id: 'key-b', choice: 'no-key' }]))).toBeNull()
    const used = await map(one(columns, {}, more, [{ decision_id: 'key-b', choice: 'use-key' }]))
    expect(used.tables[0]).toMatchObject({ key: ['v'], columns: [{}, { target: 'v', nullable: false }] })
  })
  it('that the spec names and nothing vouches for are a question, unless measured', async () => {
    expect(ids(await map(one(columns, { key: ['v'] })))).toEqual(['key-b'])
    const facts = one(columns, { key: ['v'] })
    const measured = profileOf(facts.source!, { a: '10' }, () => ({ distinct: '10' }))
    expect(await map({ ...facts, profile: measured })).toMatchObject({ decisions: [], tables: [{ key: ['v'] }] })
  })
  it('are lost where rounding could make two values one', async () => {
    const request = { columns: [{ target: 'k', type: 'numeric(10,0)' }] }
    const answers = [{ decision_id: 'lossy-b-k', choice: 'accept' }]
    expect(await keyOf(one([column('k', 'numeric(10,2)', { nullable: false })], request, { primary_key: ['k'] }, answers))).toBeNull()
  })
  it('follow a renamed column, and are lost with a changed one', async () => {
    const more = { primary_key: ['k'] }
    expect(await keyOf(one(columns, { columns: [{ target: 'key', source: ['k'] }] }, more))).toEqual(['key'])
    expect(
      await keyOf(one([column('k', 'text')], { columns: [{ target: 'k', transform: { kind: 'mask_partial', keep: 2 } }] }, more)),
    ).toBeNull()
  })
})

describe('foreign keys', () => {
  const parent = (more = {}) => table('s', 'p', [column('id', 'bigint', { nullable: false })], { primary_key: ['id'], ...more })
  const child = (validated: boolean | null, type = 'bigint') =>
    table('s', 'c', [column('p_id', type)], {
      foreign_keys:
        validated === null ? [] : [{ name: 'f', columns: ['p_id'], references: { schema: 's', name: 'p', columns: ['id'] }, validated }],
    })
  const requests = (parentRequest = {}) => [
    { source: 's.p', target: { schema: 't', name: 'p' }, ...parentRequest },
    {
      source: 's.c',
      target: { schema: 't', name: 'c' },
      foreign_keys: [{ columns: ['p_id'], references: { table: 'p', columns: ['id'] } }],
    },
  ]
  const facts = (source = catalogOf(parent(), child(null)), tables = requests()): Partial<MappingFacts> => ({
    spec: specOf(tables),
    source,
    profile: null,
  })

  it('that the source enforces are enforced without a question', async () => {
    const mapping = await map(facts(catalogOf(parent(), child(true))))
    expect(mapping.decisions).toEqual([])
    expect(mapping.tables[1]?.foreign_keys[0]?.enforcement).toBe('enforced')
  })
  it.each([
    ['not declared', facts()],
    ['declared but never validated', facts(catalogOf(parent(), child(false)))],
    [
      'declared, but the referenced table is filtered',
      facts(catalogOf(parent(), child(true)), requests({ filter: { all: [{ column: 'id', op: 'gt', values: ['5'] }] } })),
    ],
  ])('%s are a question', async (_name, given) => {
    const mapping = await map(given)
    expect(mapping.decisions.map((decision) => [decision.decision_id, decision.choices.map((choice) => choice.choice)])).toEqual([
      ['fk-c-p_id', ['keep-orphans', 'enforce', 'no-constraint']],
    ])
  })
  it.each([
    ['no key of the referenced table', facts(catalogOf(parent({ primary_key: null }), child(null)))],
    ['another kind of type', facts(catalogOf(parent(), child(null, 'text')))],
  ])('to %s cannot be enforced, and that is said', async (_name, given) => {
    const mapping = await map(given)
    expect(mapping.decisions[0]?.choices.map((choice) => choice.choice)).toEqual(['no-constraint', 'revise-spec'])
  })
})

describe('the target', () => {
  it('that already holds a table ends the plan', async () => {
    const target = catalogOf(table('aviation', 'flight', [column('x', 'text')]))
    await expect(map({ target })).rejects.toEqual(expect.objectContaining({ code: 'TARGET_NOT_EMPTY' }))
    await expect(map({ target })).rejects.toThrow('The target already holds aviation.flight. Waybill')
    await expect(map({ target: catalogOf(table('aviation', 'other', [column('x', 'text')])) })).resolves.toBeDefined()
  })
  it('that already holds many is named by its tables, the first five, and how many more', async () => {
    const names = ['Able Y', 'b', 'c', 'd', 'e', 'f', 'g']
    const catalog = catalogOf(...names.map((name) => table('s', name, [column('x', 'text')])))
    const spec = specOf(names.map((name) => ({ source: `s.${name}`, target: { schema: 's', name } })))
    await expect(map({ spec, source: catalog, target: catalog, profile: null })).rejects.toMatchObject({
      message: expect.stringMatching(/^The target already holds s\.Able Y, s\.b, s\.c, s\.d, s\.e and 2 more\. /),
      details: names.map((name) => `s.${name}`),
    })
  })
})
