import type { TableRef } from '../connector.ts'
import { WaybillError } from '../errors.ts'
import type { MigrationSpec } from '../schemas/spec.ts'
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
