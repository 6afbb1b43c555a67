import { expect, test } from 'vitest'
import { z } from 'zod'
import { jsonSchemas } from '../../layers/core/json-schemas.ts'
import { defaultPolicy, hashingSpec, typeCoercionRulebook } from '../../layers/core/rulebooks.ts'
import { planOf } from './support/plan.ts'

const schemas = jsonSchemas()

test('exactly these documents have a published schema', () => {
  expect(Object.keys(schemas).sort()).toEqual(
    [
      'approval',
      'archetype',
      'audit-anchor',
      'audit-entry',
      'catalog',
      'checks-report',
      'compare-config',
      'comparison',
      'cutover-proposal',
      'discovery-report',
      'execution-report',
      'explanation',
      'findings',
      'hashing-spec',
      'migration-spec',
      'outcome',
      'plan',
      'plan-statement',
      'policy',
      'profile',
      'profiling-report',
      'reasoning',
      'recon-proposal',
      'recon-report',
      'rewrite-proposal',
      'schema-mapping',
      'type-coercion-rulebook',
    ].sort(),
  )
})

test.each(Object.entries(schemas))('%s is a closed object with a name of its own', (name, schema) => {
  expect(schema).toMatchObject({
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: `urn:waybill:schema:${name}:v1`,
    type: 'object',
    additionalProperties: false,
  })
})

test('a person may leave out what has a default; Waybill leaves out nothing', () => {
  expect((schemas['migration-spec'] as { required: string[] }).required.sort()).toEqual(
    ['approvers', 'author', 'migration_id', 'source', 'tables', 'target', 'title'].sort(),
  )
  expect((schemas.plan as { required: string[] }).required.sort()).toEqual(Object.keys(planOf()).sort())
})

test('read back, a published schema accepts the shipped documents and refuses an added field', () => {
  for (const [name, document] of [
    ['policy', defaultPolicy],
    ['hashing-spec', hashingSpec],
    ['type-coercion-rulebook', typeCoercionRulebook],
    ['plan', planOf()],
  ] as const) {
    const read = z.fromJSONSchema(schemas[name] as Parameters<typeof z.fromJSONSchema>[0])
    expect(read.safeParse(document).success, name).toBe(true)
    expect(read.safeParse({ ...document, extra: 1 }).success, name).toBe(false)
    const { schema: _, ...rest } = document
    expect(read.safeParse(rest).success, name).toBe(false)
  }
})
