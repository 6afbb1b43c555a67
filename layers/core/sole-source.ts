import { WaybillError } from './errors.ts'
import type { ColumnMapping } from './schemas/proposal.ts'

/**
 * What the one source column of a transform became.
 * @param sources one for each source column of the plan, in order
 * @throws PLAN_INVALID where the plan names none, or several
 */
export function soleSource<T>({ target, transform }: ColumnMapping, sources: readonly T[]): T {
  const [first] = sources
  if (first !== undefined && sources.length === 1) return first
  throw new WaybillError(
    'PLAN_INVALID',
    `Column ${JSON.stringify(target)}: "${transform.kind}" takes exactly one source column, not ${sources.length}.`,
  )
}
