import { digestOf } from '../../layers/core/canonical-json.ts'
import type { ConnectorOptions, Connectors, TableRef } from '../../layers/core/connector.ts'
import type { Side } from './side.ts'

/**
 * A SHA-256 for each table of one side, over what it is and not over what it is called: the server's own identifier, the database's and the table's
 * number, and all that defines its rows; of files their contents. A table of that name elsewhere, or made anew, has another.
 * @throws CONNECTION_FAILED, PERMISSION_DENIED, NOT_FOUND
 */
export async function tableIdentities(
  connectors: Connectors,
  side: Side,
  tables: readonly TableRef[],
  options: ConnectorOptions,
): Promise<string[]> {
  const source = await connectors.source(side.systemType, side.url, options)
  try {
    if (source.definitions !== undefined) return await source.definitions(tables)
    const found: string[] = []
    for (const { schema, name } of tables) found.push(digestOf(await source.identity([{ schema, name }])))
    return found
  } finally {
    await source.close()
  }
}
