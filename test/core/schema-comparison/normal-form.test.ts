import { describe, expect, it } from 'vitest'
import { type Names, namesIn, normalDefault, normalForm, sequenceOfDefault } from '../../../layers/core/schema-comparison/normal-form.ts'

const names: Names = {
  types: new Map([
    ['v', 'character varying(5)'],
    ['c', 'character(5)'],
    ['n', 'integer'],
    ['select', 'text'],
    ['a "b"', 'text'],
  ]),
  renamed: new Map([['v', 'w']]),
}

describe('one meaning, one form', () => {
  it.each([
    // What a dump and restore does to a check on varchar.
    [
      "((v)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[]))",
      "((v)::text = ANY (ARRAY[('a'::character varying)::text, ('b'::character varying)::text]))",
    ],
    ['((n > 0))', '(n > 0)'],
    ['(n > (0)::numeric)', '(n > 0)'],
    ["(n > '-5'::integer)", '(n > (-5))'],
    ['((n > 0) AND ((n < 5)))', '((n > 0) AND (n < 5))'],
    ['(now() > d)', '(CURRENT_TIMESTAMP > d)'],
    ["(v <> ''::text)", "(v <> '')"],
  ])('%s is %s', (a, b) => {
    expect(normalForm(a, names)).toBe(normalForm(b, names))
  })

  it('gives columns the other name, and nothing else', () => {
    expect(normalForm("(lower((v)::text) = 'v'::text)", names)).toBe(`lower ( "w" ) = 'v'`)
    expect(normalForm('(x.v = v(1))', names)).toBe('x . v = v ( 1 )')
  })
})

describe('two meanings, two forms', () => {
  it.each([
    ['((n)::text < (n2)::text)', '(n < n2)'],
    ['((c)::text = v)', '(c = v)'],
    ['((n / (2)::numeric) > 1)', '((n / 2) > 1)'],
    ["('abc'::character varying(2) = v)", "('abc' = v)"],
    ["('2020-01-01'::date = d)", "('2020-01-01'::timestamp without time zone = d)"],
    ['(statement_timestamp() > d)', '(now() > d)'],
    ["(x['a'::text]::text[] = y)", "(x['a'::text] = y)"],
    ["('a''b' = v)", "('ab' = v)"],
    ["('a  b' = v)", "('a b' = v)"],
    ['((n + 1) * 2)', '(n + (1 * 2))'],
    ['(n > 5)', '(n > 50)'],
    ['("V" = 1)', '(v = 1)'],
    ['(n > 1.0)', '(n > 1)'],
    ["('x'::a.mood = v)", "('x'::b.mood = v)"],
    ['((n = 1) OR ((n = 2) AND (n = 3)))', '(((n = 1) OR (n = 2)) AND (n = 3))'],
  ])('%s is not %s', (a, b) => {
    expect(normalForm(a, names)).not.toBe(normalForm(b, names))
  })
})

it('names what an expression uses, quoted or not, and no text', () => {
  expect([...namesIn(`("select" > 'n'::text) AND f("a ""b""", v)`)].sort()).toEqual(['AND', 'a "b"', 'f', 'select', 'v'])
})

it.each([
  ["'x'::character varying", 'character varying(5)', "'x'"],
  ["'2020-01-01'::date", 'date', "'2020-01-01'"],
  ["'{}'::text[]", 'text[]', "'{}'"],
  ["'sad'::public.mood", 'public.mood', "'sad'"],
  ["'-1'::integer", 'integer', '-1'],
  ['NULL::integer', 'integer', null],
  ['NULL', 'integer', null],
  ["'abc'::character varying(2)", 'character varying(5)', "'abc' ::character varying(2)"],
  ["'2020-01-01'::date", 'text', "'2020-01-01' ::date"],
])('default %s of %s is %s', (text, type, form) => {
  expect(normalDefault(text, type)).toBe(form)
})

it.each([
  [`nextval('public."T_id_seq"'::regclass)`, 'T_id_seq'],
  [`nextval('"it''s".s'::regclass)`, 's'],
  ["nextval('s'::regclass)", 's'],
  ["(nextval('s'::regclass) + 1)", null],
  ["lower('s')", null],
  [null, null],
])('%s takes its values from %s', (text, sequence) => {
  expect(sequenceOfDefault(text)).toBe(sequence)
})

it('leaves a very long expression as it is printed', () => {
  expect(normalForm(`((${'n + '.repeat(3000)}1))`, names).startsWith('( (')).toBe(true)
})

it('ends on any text', () => {
  for (const text of ["'open", '"open', '::', '((((', 'E\\', '::text::text[][]', '\u0000', '(((x)))::text', '[]::text[]']) {
    expect(typeof normalForm(text, names)).toBe('string')
  }
})
