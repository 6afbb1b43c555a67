import { unplannedDifferences } from '../../layers/core/outcome/check-findings.ts'
import { sentence } from '../../layers/core/schema-comparison/summary.ts'
import type { ReconReport } from '../../layers/core/schemas/recon.ts'
import { type Terminal, visible } from '../terminal.ts'

/** Lines in one place; the report has them all. */
const SHOWN = 20

/**
 * What a comparison found otherwise in the schemas than the plan asks for, a line each: a key or an index that the target lost, say. By itself
 * it makes no rows differ. Remarks that mean the same for every row are left out.
 */
export function schemaWarnings(recon: ReconReport): string[] {
  return unplannedDifferences(recon)
    .filter(({ severity }) => severity !== 'INFO')
    .map((difference) => `schema ${difference.severity.toLowerCase()}: ${sentence(difference)}`)
}

export function printSchemaWarnings(terminal: Terminal, warnings: readonly string[], prefix = ''): void {
  for (const line of warnings.slice(0, SHOWN)) terminal.out(`${prefix}${terminal.paint('yellow', visible(line))}`)
  if (warnings.length > SHOWN) terminal.out(`${prefix}… and ${warnings.length - SHOWN} more differences of the schemas; --json lists all`)
}
