import type { SchemaDifference } from '../schemas/recon.ts'
import { columnDifferences } from './columns.ts'
import { constraintDifferences } from './constraints.ts'
import { frameOf, type SchemaComparisonOptions, type SchemaPair } from './frame.ts'
import { objectDifferences } from './objects.ts'
import { sequenceDifferences } from './sequences.ts'

/**
 * How the target's table differs from the source's and, with a mapping, from what the plan asked for: `planned` marks the differences that
 * the plan asks for. Names of constraints, indexes and owned sequences say nothing; facts that a catalog did not read are not compared.
 * A null source keeps no catalog (files): then only the plan and the target speak.
 */
export function schemaDifferences(pair: SchemaPair, options: SchemaComparisonOptions = {}): SchemaDifference[] {
  const frame = frameOf(pair, options)
  return [...columnDifferences(frame), ...constraintDifferences(frame), ...objectDifferences(frame), ...sequenceDifferences(frame)]
}
