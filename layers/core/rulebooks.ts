import type { z } from 'zod'
import { digestOf } from './canonical-json.ts'
import { WaybillError } from './errors.ts'
import csvToPostgres from './rulebooks/archetypes/csv-to-postgres.json' with { type: 'json' }
import jsonToPostgres from './rulebooks/archetypes/json-to-postgres.json' with { type: 'json' }
import parquetToPostgres from './rulebooks/archetypes/parquet-to-postgres.json' with { type: 'json' }
import postgresToPostgres from './rulebooks/archetypes/postgres-to-postgres.json' with { type: 'json' }
import hashingSpecFile from './rulebooks/hashing_spec.json' with { type: 'json' }
import policyFile from './rulebooks/policy.default.json' with { type: 'json' }
import typeCoercionFile from './rulebooks/type_coercion_rulebook.json' with { type: 'json' }
import * as shapes from './schemas/policy.ts'

export { allows, baseType, type CoercionRule, narrows, ruleFor, typeParts } from './coercion.ts'

/** The policy of an installation that has none of its own. */
export const defaultPolicy: shapes.Policy = shipped('policy.default.json', shapes.policy, policyFile)
export const typeCoercionRulebook: shapes.TypeCoercionRulebook = shipped(
  'type_coercion_rulebook.json',
  shapes.typeCoercionRulebook,
  typeCoercionFile,
)
export const hashingSpec: shapes.HashingSpec = shipped('hashing_spec.json', shapes.hashingSpec, hashingSpecFile)
export const archetypes: readonly shapes.Archetype[] = [postgresToPostgres, parquetToPostgres, csvToPostgres, jsonToPostgres].map((file) =>
  shipped(file.id, shapes.archetype, file),
)

/** Digests that a plan made by this release names and that a worker of this release accepts. */
export const typeCoercionSha256: string = digestOf(typeCoercionRulebook)
export const hashingSpecSha256: string = digestOf(hashingSpec)

/** True for the digest of an archetype that this release ships. */
export function isShippedArchetype(sha256: string): boolean {
  return archetypes.some((candidate) => digestOf(candidate) === sha256)
}

/** @throws NOT_FOUND */
export function archetypeOf(id: string): shapes.Archetype {
  const found = archetypes.find((candidate) => candidate.id === id)
  if (found !== undefined) return found
  throw new WaybillError(
    'NOT_FOUND',
    `there is no archetype ${id}; choose one of ${archetypes.map((candidate) => candidate.id).join(', ')}`,
  )
}

function shipped<S extends z.ZodType>(name: string, schema: S, file: unknown): z.infer<S> {
  const parsed = schema.safeParse(file)
  if (!parsed.success)
    throw new WaybillError('BAD_INPUT', `${name} of this release is damaged; install Waybill again`, { cause: parsed.error })
  return parsed.data
}
