import type { TablePair } from '../../layers/core/comparison.ts'
import type { ConnectorOptions, Connectors, Source } from '../../layers/core/connector.ts'
import { isWaybillError } from '../../layers/core/errors.ts'
import type { CatalogTable } from '../../layers/core/schemas/catalog.ts'
import type { Paired } from './pairs.ts'
import type { CompareRequest } from './request.ts'

/**
 * The pairs with about as many rows as each table holds now. The planner's figure will not do for a sample: of a table that was just restored it knows
 * nothing, and all of it would be read. Tables that cannot be looked at are problems instead.
 * @throws CONNECTION_FAILED, INTERRUPTED
 */
export async function withRowCounts(
  connectors: Connectors,
  request: CompareRequest,
  options: ConnectorOptions,
  paired: Paired,
): Promise<Paired> {
  const open = (side: 'source' | 'target') => connectors.source(request[side].systemType, request[side].url, { ...options, side })
  const found: Paired = { pairs: [], problems: [...paired.problems] }
  const source = await open('source')
  try {
    const target = await open('target')
    try {
      for (const { pair, choice } of paired.pairs) {
        const counted = await countedPair(source, target, pair)
        if (typeof counted !== 'string') found.pairs.push({ pair: counted, choice })
        else found.problems.push({ table: `${pair.target.schema}.${pair.target.name}`, verdict: 'inconclusive', what: counted })
      }
    } finally {
      await target.close()
    }
  } finally {
    await source.close()
  }
  return found
}

async function countedPair(source: Source, target: Source, pair: TablePair): Promise<TablePair | string> {
  const counted = async (side: Source, table: CatalogTable) => ({
    ...table,
    estimated_rows: (await side.rowCount?.(table)) ?? table.estimated_rows,
  })
  try {
    return { source: await counted(source, pair.source), target: await counted(target, pair.target) }
  } catch (error) {
    if (!isWaybillError(error) || error.code === 'INTERRUPTED' || error.code === 'CONNECTION_FAILED') throw error
    return `no sample without the number of rows: ${error.message}`
  }
}
