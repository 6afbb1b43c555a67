import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isWaybillError, type WaybillError } from '../../layers/core/errors.ts'
import { readSpec } from '../../layers/core/spec-reader.ts'

const FLIGHTS = readFileSync(new URL('../../examples/flights/migration.yaml', import.meta.url), 'utf8')

const SMALL = `migration_id: m-1
title: A test
author: author@example.com
source: { system_type: POSTGRESQL, connection: { secret_ref: 'env://S' } }
target: { system_type: POSTGRESQL, connection: { secret_ref: 'env://T' } }
tables:
  - source: public.a
    target: { schema: public, name: b }
approvers: []
`

function refused(text: string | Uint8Array): WaybillError {
  try {
    readSpec(text)
  } catch (error) {
    if (!isWaybillError(error)) throw error
    expect(error.code).toBe('SPEC_INVALID')
    return error
  }
  throw new Error('the spec was accepted')
}
const faultOf = (text: string) => refused(text).details.join('\n')

describe('a spec is read', () => {
  it('from YAML, with its defaults', () => {
    const spec = readSpec(FLIGHTS)
    expect(spec.tables.map((table) => table.target.name)).toEqual(['airport', 'flight'])
    expect(spec.tables[1]?.columns?.[5]?.transform).toEqual({ kind: 'scale', factor: '1.609344', decimals: 3 })
    expect(spec.rollback_config.preserve_source).toBe(true)
    expect(spec.execution_config.retry_policy.max_retries).toBe(5)
  })
  it('from JSON, also indented with tabs, and from bytes', () => {
    const json = JSON.stringify(readSpec(SMALL), null, '\t')
    expect(readSpec(json)).toEqual(readSpec(SMALL))
    expect(readSpec(new TextEncoder().encode(json))).toEqual(readSpec(SMALL))
  })
  it('keeps words that YAML 1.1 took for booleans', () => {
    const spec = readSpec(SMALL.replace('name: b }', 'name: b }\n    filter: { all: [{ column: c, op: in, values: [NO, on, NA] }] }'))
    expect(spec.tables[0]?.filter?.all[0]?.values).toEqual(['NO', 'on', 'NA'])
  })
})

describe('a spec is refused with place, path and what is allowed', () => {
  it('for an unknown field, with the nearest name', () => {
    expect(faultOf(SMALL.replace('title:', 'titel:'))).toBe(
      'line 1, column 1: title: is missing; text is expected\nline 2, column 1: titel: there is no such field; did you mean "title"?',
    )
    expect(faultOf(SMALL.replace('name: b }', 'name: b }\n    filtre: {}'))).toContain(
      'line 9, column 5: tables[0].filtre: there is no such field; did you mean "filter"?',
    )
  })
  it('for an unknown field inside one kind of transform, with what that kind has', () => {
    const text = SMALL.replace(
      'name: b }',
      "name: b }\n    columns: [{ target: x, transform: { kind: scale, factor: '2', decimals: 1, digits: 3 } }]",
    )
    expect(faultOf(text)).toContain('tables[0].columns[0].transform.digits: there is no such field; allowed here: kind, factor, decimals')
  })
  it('for a wrong choice', () => {
    expect(
      faultOf(
        SMALL.replace(
          "system_type: POSTGRESQL, connection: { secret_ref: 'env://S",
          "system_type: POSTGRES, connection: { secret_ref: 'env://S",
        ),
      ),
    ).toBe('line 4, column 24: source.system_type: must be one of POSTGRESQL, PARQUET, CSV, JSON; did you mean "POSTGRESQL"?')
    expect(faultOf(SMALL.replace('approvers: []', 'approvers: []\nchecks: [{ kind: row_cuont, table: b }]'))).toContain(
      'did you mean "row_count"?',
    )
  })
  it('for a number where exact text is needed', () => {
    const text = SMALL.replace(
      'name: b }',
      'name: b }\n    columns: [{ target: x, transform: { kind: scale, factor: 1.609344, decimals: 3 } }]',
    )
    expect(faultOf(text)).toContain('factor: must be text; put it in quotes, so that it stays exactly as written: "1.609344"')
  })
  it('without ever repeating what stands where a secret_ref belongs', () => {
    const error = refused(SMALL.replace('env://S', 'postgres://me:hunter2@host/db'))
    expect(error.details.join()).toContain('source.connection.secret_ref')
    expect(JSON.stringify([error.message, error.details])).not.toContain('hunter2')
  })
  it.each([
    ['a duplicate key', `${SMALL}title: again\n`, 'line 10, column 1: this name occurs twice'],
    ['a second document', `${SMALL}---\na: 1\n`, 'a second document starts here'],
    [
      'an alias',
      SMALL.replace('title: A test', 'title: &t A test').replace('migration_id: m-1', 'migration_id: m-1\narchetype: *t'),
      'alias',
    ],
    ['an anchor alone', SMALL.replace('title: A test', 'title: &t A test'), 'line 2, column 11: an anchor'],
    ['a tag', SMALL.replace('title: A test', 'title: !!binary aGk='), 'a tag'],
    ['an unknown tag', SMALL.replace('title: A test', 'title: !!js/function f'), 'line 2'],
    ['a merge key', `${SMALL}<<: { title: x }\n`, 'there is no such field'],
    ['a name that is no text', `${SMALL}1: x\n`, 'a name must be text'],
    ['a prototype', `${SMALL}__proto__: { a: 1 }\n`, 'there is no such field'],
    ['an integer that a double rounds', `${SMALL}slo_config: { max_duration_seconds: 9007199254740993 }\n`, 'cannot be held exactly'],
    ['half a character', '{"title": "\\ud800"}', 'half a character'],
    ['a list', '- a\n', 'a spec is a mapping'],
    ['nothing', '', 'a spec is a mapping'],
    ['broken indentation', 'a:\n  - b\n c', 'line 3'],
    ['deep nesting', `a: ${'['.repeat(5000)}${']'.repeat(5000)}`, 'nested deeper'],
    ['very deep nesting', '['.repeat(200_000), ''],
  ])('for %s', (_name, text, says) => {
    expect(faultOf(text)).toContain(says)
  })
  it('for an alias bomb, before it is expanded', () => {
    const levels = Array.from(
      { length: 30 },
      (_, index) =>
        `a${index}: &a${index} [${
          index === 0
            ? 'x'
            : Array(10)
                .fill(`*a${index - 1}`)
                .join(', ')
        }]`,
    )
    expect(faultOf(levels.join('\n'))).toContain('an alias (*name); write the value out')
  })
  it('for bytes that are no UTF-8, and for more than 8 MiB', () => {
    expect(refused(new Uint8Array([0xff, 0xfe, 0x00])).details).toEqual(['the spec is not UTF-8 text'])
    expect(refused(`title: ${'x'.repeat(9_000_000)}`).details[0]).toContain('longer than')
  })
})

describe('contradictions that need no catalog', () => {
  const tables = (more: string) => SMALL.replace('name: b }\n', `name: b }\n${more}`)
  it.each([
    [
      'two tables into one',
      tables('  - { source: public.c, target: { schema: public, name: b } }\n'),
      'another table already has this target',
    ],
    [
      'a column twice',
      tables('    columns: [{ target: x }, { target: x }]\n'),
      'tables[0].columns[1].target: this target column is already mapped',
    ],
    ['an unknown type', tables("    columns: [{ target: x, type: 'text; DROP TABLE b' }]\n"), 'not a type Waybill can create'],
    ['a key that is not mapped', tables('    columns: [{ target: x }]\n    key: [y]\n'), 'tables[0].key[0]: a key names target columns'],
    ['an order key that is not mapped', tables('    columns: [{ target: x }]\n    order_key: y\n'), 'order key names a target column'],
    [
      'a foreign key out of scope',
      tables('    foreign_keys: [{ columns: [x], references: { table: nowhere, columns: [x] } }]\n'),
      'no single table in scope has this name; use one of b',
    ],
    [
      'a foreign key of unequal sides',
      tables('    foreign_keys: [{ columns: [x, y], references: { table: b, columns: [x] } }]\n'),
      'same number of columns',
    ],
    ['a check out of scope', `${SMALL}checks: [{ kind: row_count, table: nowhere }]\n`, 'checks[0].table: no single table'],
    ['a filter without values', tables('    filter: { all: [{ column: c, op: not_in }] }\n'), '"not_in" takes at least one value'],
    ['a filter with too many', tables('    filter: { all: [{ column: c, op: eq, values: [a, b] }] }\n'), '"eq" takes exactly one value'],
    ['several sources for one value', tables('    columns: [{ target: x, source: [a, b] }]\n'), 'takes exactly one source column'],
    ['a table without its schema', SMALL.replace('source: public.a', 'source: a'), 'a table is written schema.name'],
    [
      'the author as approver',
      SMALL.replace('approvers: []', 'approvers: [{ role: security, email: Au.thor+x@example.com }]'),
      'the author of a migration cannot approve it',
    ],
    ['a decision answered twice', `${SMALL}decisions: [{ decision_id: a, choice: b }, { decision_id: a, choice: c }]\n`, 'answered twice'],
    ['a database without a connection', SMALL.replace(", connection: { secret_ref: 'env://S' }", ''), 'needs a connection'],
  ])('%s', (_name, text, says) => {
    expect(faultOf(text)).toContain(says)
  })
  it('accepts a quoted source with a dot in it', () => {
    expect(readSpec(SMALL.replace('source: public.a', `source: '"odd.schema"."a ""b"""'`)).tables[0]?.source).toBe('"odd.schema"."a ""b"""')
  })
})

it('whatever the text, the answer is a spec or SPEC_INVALID', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: 'binary', maxLength: 200 }),
        fc.json(),
        fc.string().map((text) => SMALL.replace('A test', text)),
      ),
      (text) => {
        try {
          readSpec(text)
        } catch (error) {
          if (!isWaybillError(error) || error.code !== 'SPEC_INVALID') throw error
        }
      },
    ),
    { numRuns: 500 },
  )
})
