import { canonicalJson } from './canonical-json.ts'
import type { ReconProposal, SchemaMapping } from './schemas/proposal.ts'
import type { MigrationSpec } from './schemas/spec.ts'
import { sourceObject, tableIds } from './table-id.ts'
import { requestedTolerances } from './tolerance/request.ts'

/**
 * A mapping and a recon proposal are untrusted: they may cover exactly what the spec asks for, no table more and none less, under the
 * spec's own filters. Sentences for whatever deviates.
 */
export function scopeFaults(spec: MigrationSpec, mapping: SchemaMapping, recon: ReconProposal): string[] {
  const faults: string[] = []
  const ids = tableIds(spec.tables.map((table) => table.target))
  const proposed = new Map(mapping.tables.map((table) => [table.table_id, table]))
  if (proposed.size !== mapping.tables.length) faults.push('The mapping names a table twice.')
  for (const id of proposed.keys()) if (!ids.includes(id)) faults.push(`The mapping holds table ${id}, which the spec does not ask for.`)

  for (const [index, request] of spec.tables.entries()) {
    const id = ids[index] ?? ''
    const table = proposed.get(id)
    if (table === undefined) {
      faults.push(`The mapping leaves out table ${id}.`)
      continue
    }
    const source = sourceObject(spec.source.system_type, request.source)
    const same = (a: unknown, b: unknown) => canonicalJson(a) === canonicalJson(b)
    if (
      source === null ||
      table.source.name !== source.name ||
      table.source.kind !== source.kind ||
      (source.kind === 'table' && table.source.schema !== source.schema)
    ) {
      faults.push(`Table ${id} is mapped from another source than the spec says.`)
    }
    if (!same(table.target, request.target)) faults.push(`Table ${id} is mapped to another target than the spec says.`)
    if (!same(table.filter, request.filter ?? null)) faults.push(`Table ${id} is filtered otherwise than the spec says.`)
    const targets = table.columns.map((column) => column.target)
    if (new Set(targets).size !== targets.length) faults.push(`Table ${id} maps a target column twice.`)
    const asked = request.columns?.map((column) => column.target)
    for (const target of targets)
      if (asked !== undefined && !asked.includes(target)) faults.push(`Table ${id} maps a column that the spec does not ask for.`)
    for (const column of table.columns) {
      if (asked === undefined && column.source.some((name) => request.exclude.includes(name)))
        faults.push(`Table ${id} maps a column that the spec excludes.`)
    }
    const named = [
      ...(table.key ?? []),
      ...(table.order_key === null ? [] : [table.order_key]),
      ...table.foreign_keys.flatMap((foreign) => foreign.columns),
    ]
    for (const name of named)
      if (!targets.includes(name)) faults.push(`Table ${id}: a key, order key or foreign key names a column that is not mapped.`)
    if (table.foreign_keys.length !== request.foreign_keys.length) faults.push(`Table ${id} has other foreign keys than the spec asks for.`)
    for (const foreign of table.foreign_keys) {
      const referenced = proposed.get(foreign.references.table)
      const known = new Set(referenced?.columns.map((column) => column.target))
      if (foreign.references.columns.some((column) => !known.has(column)))
        faults.push(`Table ${id}: a foreign key refers to a column that is not mapped.`)
    }
  }

  for (const [index, request] of spec.tables.entries()) {
    const given = recon.tables.find((table) => table.table_id === ids[index])?.tolerances ?? []
    const inOrder = given.toSorted((a, b) => (a.column < b.column ? -1 : 1))
    if (canonicalJson(inOrder) !== canonicalJson(requestedTolerances(request.tolerances)))
      faults.push(`Table ${ids[index]} is held to other tolerances than the spec asks for.`)
  }

  const compared = recon.tables.map((table) => table.table_id)
  if (canonicalJson([...compared].sort()) !== canonicalJson([...ids].sort()))
    faults.push('The recon proposal does not cover each table exactly once.')
  return faults
}
