import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { PINNED_SETTINGS } from '../../layers/connectors/postgres/session.ts'
import { decisionId } from '../../layers/core/decisions.ts'
import {
  allows,
  archetypeOf,
  archetypes,
  baseType,
  defaultPolicy,
  hashingSpec,
  narrows,
  ruleFor,
  typeCoercionRulebook,
} from '../../layers/core/rulebooks.ts'
import type { Transform } from '../../layers/core/schemas/spec.ts'

type Kind = Transform['kind']
const rule = (from: string | string[], to: string, transform: Kind | Transform) =>
  ruleFor(typeCoercionRulebook, [from].flat(), to, transform)

describe('type coercion rulebook', () => {
  test('ids are unique and every rule can be reached', () => {
    const ids = typeCoercionRulebook.rules.map((one) => one.id)
    expect(new Set(ids).size).toBe(ids.length)
    for (const one of typeCoercionRulebook.rules) {
      if (one.needs_decision) expect(one.lossy, `${one.id} asks a person about nothing`).toBe(true)
      const froms = one.from.length === 0 ? [[]] : one.from.map((type) => [type === '*' ? 'uuid' : type])
      const tos = one.to.map((type) => (type === '*' ? 'uuid' : type))
      const reached = froms.some((from) => tos.some((to) => allows(one, from, to, one.transform as Kind)))
      if (one.id !== 'scale-exact') expect(reached, one.id).toBe(true)
    }
  })

  test.each<[string | string[], string, Kind, string | null]>([
    ['bigint', 'bigint', 'identity', 'same-type'],
    ['BIGINT', 'int8', 'identity', 'same-type'],
    ['VARCHAR', 'varchar', 'identity', 'same-type'],
    ['TIMESTAMP', 'timestamp without time zone', 'identity', 'same-type'],
    ['timestamp(3) with time zone', 'timestamptz', 'identity', 'same-type'],
    ['numeric(8,2)', 'numeric(10,2)', 'identity', 'same-type'],
    ['numeric(10,2)', 'numeric(8,2)', 'identity', null],
    ['numeric(10,2)', 'numeric(8,2)', 'cast', 'numeric-narrow'],
    ['numeric(10,2)', 'numeric(10,1)', 'cast', 'numeric-narrow'],
    ['numeric(10,2)', 'numeric(10,4)', 'cast', 'numeric-narrow'],
    ['numeric', 'numeric(38,10)', 'cast', 'numeric-narrow'],
    ['numeric(8,2)', 'numeric(10,4)', 'cast', 'same-type-cast'],
    ['smallint', 'bigint', 'cast', 'smallint-widen'],
    ['integer', 'bigint', 'cast', 'integer-widen'],
    ['bigint', 'integer', 'cast', 'integer-narrow'],
    ['UBIGINT', 'bigint', 'cast', 'integer-narrow'],
    ['HUGEINT', 'numeric', 'cast', 'integer-to-numeric'],
    ['integer', 'numeric(10,0)', 'cast', 'integer-to-numeric'],
    ['integer', 'numeric(10,2)', 'cast', 'integer-to-numeric-narrow'],
    ['bigint', 'double precision', 'cast', 'integer-to-float'],
    ['integer', 'double precision', 'cast', 'integer-to-double'],
    ['real', 'double precision', 'cast', 'real-to-double'],
    ['DOUBLE', 'real', 'cast', 'double-to-real'],
    ['DOUBLE', 'numeric', 'cast', 'float-to-numeric'],
    ['varchar(10)', 'varchar(20)', 'cast', 'same-type-cast'],
    ['varchar(20)', 'varchar(10)', 'cast', 'text-narrow'],
    ['varchar(20)', 'varchar(10)', 'identity', null],
    ['text', 'varchar(10)', 'cast', 'text-narrow'],
    ['VARCHAR', 'text', 'cast', 'text-widen'],
    ['char(3)', 'text', 'cast', 'text-widen'],
    ['text', 'char(3)', 'cast', 'text-narrow'],
    ['uuid', 'varchar(36)', 'cast', 'scalar-to-text'],
    ['uuid', 'varchar(35)', 'cast', 'scalar-to-short-text'],
    ['text', 'uuid', 'cast', 'text-parse'],
    ['timestamp(6)', 'timestamp(3)', 'identity', null],
    ['timestamp', 'timestamp(3)', 'cast', 'timestamp-narrow'],
    ['TIMESTAMP_NS', 'timestamp', 'cast', 'timestamp-narrow'],
    ['TIMESTAMP_MS', 'timestamp', 'cast', 'timestamp-widen'],
    ['timestamp', 'timestamptz', 'cast', 'timestamp-to-instant'],
    ['timestamptz', 'timestamp', 'cast', 'instant-to-timestamp'],
    ['date', 'timestamp', 'cast', 'date-to-timestamp'],
    ['timestamptz', 'date', 'cast', 'timestamp-to-date'],
    ['json', 'jsonb', 'cast', 'json-to-jsonb'],
    ['smallint', 'interval', 'minutes_to_interval', 'minutes-to-interval'],
    ['DOUBLE', 'interval', 'minutes_to_interval', 'fractional-minutes-to-interval'],
    ['text', 'text', 'lowercase', 'lowercase'],
    ['text', 'text', 'trim', 'trim'],
    ['text', 'text', 'e164', 'e164'],
    ['integer', 'numeric(10,3)', 'scale', 'scale-rounded'],
    ['double precision', 'numeric', 'scale', 'scale-float'],
    ['timestamp', 'date', 'truncate_time', 'truncate-time'],
    [['text', 'integer'], 'text', 'concat', 'concat'],
    [[], 'uuid', 'constant', 'constant'],
    ['text', 'uuid', 'constant', null],
    ['bytea', 'text', 'mask_sha256', 'mask-sha256'],
    ['text', 'integer', 'mask_redact', null],
    ['integer[]', 'integer[]', 'identity', 'same-type'],
    ['integer[]', 'bigint[]', 'cast', null],
    ['varchar(20)[]', 'varchar(10)[]', 'identity', null],
    ['"Mood"', '"mood"', 'identity', null],
    ['"Mood"', '"Mood"', 'identity', 'same-type'],
    ["ENUM('a', 'b')", "ENUM('A', 'B')", 'identity', null],
    ['bytea', 'integer', 'cast', null],
    [['text', 'text'], 'text', 'identity', null],
    [[], 'text', 'identity', null],
  ])('%s → %s by %s: %s', (from, to, transform, id) => {
    expect(rule(from, to, transform)?.id ?? null).toBe(id)
  })

  test('a product is called exact only when all its decimals are kept', () => {
    const scale = (factor: string, decimals: number): Transform => ({ kind: 'scale', factor, decimals })
    expect(rule('integer', 'numeric(12,3)', scale('1.609', 3))).toMatchObject({ id: 'scale-exact', lossy: false })
    expect(rule('integer', 'numeric(12,3)', scale('1.6093', 3))).toMatchObject({ id: 'scale-rounded', lossy: true })
    expect(rule('numeric(8,2)', 'numeric', scale('0.1', 3))?.id).toBe('scale-exact')
    expect(rule('numeric(8,2)', 'numeric(12,2)', scale('0.1', 3))?.id).toBe('scale-rounded')
    expect(rule('numeric', 'numeric', scale('1', 16))?.id).toBe('scale-rounded')
  })

  test('no rule called lossless is ever given for a narrower numeric or a shorter text', () => {
    const digits = fc.tuple(fc.integer({ min: 1, max: 38 }), fc.integer({ min: 0, max: 38 })).filter(([p, s]) => s <= p)
    fc.assert(
      fc.property(digits, digits, ([p1, s1], [p2, s2]) => {
        const given = rule(`numeric(${p1},${s1})`, `numeric(${p2},${s2})`, 'cast')
        const holds = s2 >= s1 && p2 - s2 >= p1 - s1
        expect(given?.lossy).toBe(!holds)
      }),
    )
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 100 }), (n, m) => {
        expect(rule(`varchar(${n})`, `character varying(${m})`, 'cast')?.lossy).toBe(m < n)
        expect(narrows(`varchar(${n})`, 'text')).toBe(false)
      }),
    )
  })

  test('spellings of one type are one type', () => {
    for (const [spelling, base] of [
      ['int4', 'integer'],
      ['INT', 'integer'],
      ['decimal(10, 2)', 'numeric'],
      ['NUMERIC ( 10 , 2 )', 'numeric'],
      ['bool', 'boolean'],
      ['character  varying(3)', 'character varying'],
      ['TIMESTAMP WITH TIME ZONE', 'timestamp with time zone'],
      ['timestamp(0) without time zone', 'timestamp without time zone'],
      ['float8', 'double precision'],
      ['FLOAT', 'real'],
      ['BLOB', 'bytea'],
      ['toString', 'tostring'],
      ['constructor', 'constructor'],
    ] as const) {
      expect(baseType(spelling)).toBe(base)
    }
  })
})

describe('shipped files', () => {
  test('the hashing spec names exactly the settings that sessions are pinned to', () => {
    expect(hashingSpec.session).toEqual(PINNED_SETTINGS)
  })

  test('policy, hashing spec and archetypes are what the architecture names', () => {
    expect(defaultPolicy).toMatchObject({ version: '2026.1', clean_runs_required: 1, bps: { scale: 50, warning: 0.15, critical: 0.35 } })
    expect(hashingSpec.row_encodings.map((encoding) => encoding.id)).toEqual(['native', 'canonical'])
    expect(archetypes.map((archetype) => archetype.id)).toEqual([
      'postgres-to-postgres',
      'parquet-to-postgres',
      'csv-to-postgres',
      'json-to-postgres',
    ])
    expect(() => archetypeOf('oracle-to-abacus')).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }))
  })
})

test('two columns never share a decision', () => {
  expect(decisionId('lossy', 'flights', 'delay')).toBe('lossy-flights-delay')
  const name = fc.oneof(fc.constantFrom('a', 'a-b', 'b', 'A', 'a b', 'ä', 'x'.repeat(90)), fc.string({ minLength: 1, maxLength: 20 }))
  const table = fc.constantFrom('a', 'a-b', 'b', 'b-a')
  fc.assert(
    fc.property(table, name, table, name, (t1, c1, t2, c2) => {
      expect(decisionId('lossy', t1, c1)).toMatch(/^[a-z0-9][a-z0-9_-]{0,79}$/)
      expect(decisionId('lossy', t1, c1) === decisionId('lossy', t2, c2)).toBe(t1 === t2 && c1 === c2)
      expect(decisionId('lossy', t1, c1)).not.toBe(decisionId('pii', t2, c2))
    }),
    { numRuns: 2000 },
  )
})
