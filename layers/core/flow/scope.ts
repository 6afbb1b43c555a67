import type { TableRef } from '../connector.ts'
import { WaybillError } from '../errors.ts'
import type { MigrationSpec } from '../schemas/spec.ts'
import { type Reached, sameDatabase } from '../system-identity.ts'
import { sourceObject } from '../table-id.ts'

/** The source objects a spec names. @throws SPEC_INVALID */
export function scopeOf(spec: Pick<MigrationSpec, 'source' | 'tables'>): TableRef[] {
  return spec.tables.map((table, at) => {
    const object = sourceObject(spec.source.system_type, table.source)
    if (object === null)
      throw new WaybillError('SPEC_INVALID', `tables[${at}].source is no object of a ${spec.source.system_type} source; write schema.name.`)
    return { schema: object.schema, name: object.name }
  })
}

/** A planned target that is itself one of the tables to be migrated: whoever made room for it would drop the source. @throws SPEC_INVALID */
export function refuseSourceAsTarget(spec: Pick<MigrationSpec, 'source' | 'tables'>, ends: { source: Reached; target: Reached }): void {
  if (!sameDatabase(ends.source, ends.target)) return
  const sources = new Set(scopeOf(spec).map(({ schema, name }) => JSON.stringify([schema, name])))
  const both = spec.tables.map(({ target }) => target).filter(({ schema, name }) => sources.has(JSON.stringify([schema, name])))
  if (both.length === 0) return
  const names = both.map(({ schema, name }) => `${schema}.${name}`)
  throw new WaybillError(
    'SPEC_INVALID',
    `Source and target are one and the same database, and ${names.slice(0, 5).join(', ')} would be migrated into itself. Check where the two connections lead, or choose another schema for the target. Drop nothing: those tables are the source.`,
    { details: names },
  )
}
