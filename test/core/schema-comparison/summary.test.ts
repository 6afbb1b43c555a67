import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { schemaDifferences } from '../../../layers/core/schema-comparison/schema-differences.ts'
import { RULES } from '../../../layers/core/schema-comparison/severity.ts'
import { schemaSummary } from '../../../layers/core/schema-comparison/summary.ts'
import { schemaDifference } from '../../../layers/core/schemas/recon.ts'
import { column, mapped, mappingOf, sequence, tableOf } from './tables.ts'

it('says that there is nothing to say', () => {
  expect(schemaSummary([])).toEqual(['The schemas say the same.'])
})

it('counts first, then tells the gravest first', () => {
  const source = tableOf([column('id'), column('colour', 'text'), column('n', 'bigint', { comment: 'x' })], { sequences: [sequence('id')] })
  const target = tableOf([column('id'), column('color', 'text'), column('n', 'integer')], {
    sequences: [sequence('id', { last_value: '4' })],
  })
  expect(schemaSummary(schemaDifferences({ source, target }))).toEqual([
    'The schemas differ in 5 points: 1 critical, 3 errors, 1 remark.',
    'Only the source has the column public.t.colour (text). Perhaps colour was renamed to color (78 %: the names are alike, same type, same position).',
    'Only the target has the column public.t.color (text). Perhaps colour was renamed to color (78 %: the names are alike, same type, same position).',
    'public.t.n: the type is bigint in the source and integer in the target.',
    'public.t.id: the sequence is last value 10, the column reaches 10 in the source and last value 4, the column reaches 10 in the target.',
    'public.t.n: only the source has this comment: x.',
  ])
})

it('puts what was asked for last', () => {
  const mapping = mappingOf([mapped('a', 'bigint', { transform: { kind: 'cast' } }), mapped('b')])
  const found = schemaDifferences(
    { source: tableOf([column('a'), column('b')]), target: tableOf([column('a', 'bigint'), column('b', 'integer', { comment: 'x' })]) },
    { mapping },
  )
  expect(schemaSummary(found)).toEqual([
    'The schemas differ in 2 points: 1 remark, 1 planned.',
    'public.t.b: only the target has this comment: x.',
    'public.t.a: the type is integer in the source and bigint in the target. This was asked for.',
  ])
})

it('shows hidden characters, and keeps long texts within the schema of a difference', () => {
  const hostile = '\u202Egnihton\n\u0000'
  const found = schemaDifferences({
    source: tableOf([column('a')]),
    target: tableOf([column('a', 'integer', { comment: hostile + 'x'.repeat(50_000) })]),
  })
  expect(found[0]?.target).toHaveLength(2000)
  for (const one of found) schemaDifference.parse(one)
  expect(schemaSummary(found)[1]).toContain('[U+202E]gnihton[U+000A][U+0000]')
  expect(schemaSummary(found).join().length).toBeLessThan(600)
})

it('the README prints the rules as the code has them', () => {
  const readme = readFileSync(new URL('../../../layers/core/schema-comparison/README.md', import.meta.url), 'utf8')
  const printed = [...readme.matchAll(/^\| ([a-z-]+) +\| ([A-Z]+) +\| (.+?) +\|$/gm)].map(([, rule, severity, says]) => [
    rule,
    severity,
    says,
  ])
  expect(printed).toEqual(Object.entries(RULES).map(([rule, [severity, says]]) => [rule, severity, says]))
})
