import { getJson } from '../../layers/core/artifacts.ts'
import { canonicalJson, digestOf } from '../../layers/core/canonical-json.ts'
import type { ConnectorOptions, Source } from '../../layers/core/connector.ts'
import { isWaybillError, WaybillError } from '../../layers/core/errors.ts'
import { listed } from '../../layers/core/flow/storing.ts'
import type { Ports } from '../../layers/core/ports.ts'
import type { Catalog, CatalogTable } from '../../layers/core/schemas/catalog.ts'
import type { Plan } from '../../layers/core/schemas/plan.ts'
import { discoveryReport } from '../../layers/core/schemas/report.ts'
import { withheldCatalog } from '../../layers/core/withheld-literals.ts'
import { type End, using } from './connections.ts'

type Deps = Pick<Ports, 'artifacts' | 'connectors'>
type Table = Plan['tables'][number]

/**
 * Does `act` only while the planned source tables are declared as in the catalog the plan was made from. What `act` gets asks again whether they
 * are what they were when it began; it is for after every read, before what was read counts.
 * Threat: a name people approved as a table leads, once they have, to a view over rows that nobody approved.
 * @throws PLAN_NOT_AUTHORISED naming what differs; NOT_FOUND where a planned table is gone
 */
export async function whileAsPlanned<R>(
  deps: Deps,
  plan: Plan,
  tables: readonly Table[],
  source: End,
  options: ConnectorOptions,
  act: (stillAsPlanned: () => Promise<void>) => Promise<R>,
): Promise<R> {
  // The identity of files is a SHA-256 of each: there is nothing more to declare.
  if (source.systemType !== 'POSTGRESQL') return act(async () => {})
  const planned = await plannedCatalog(deps, plan)
  const refs = tables.map((table) => ({ schema: table.source.schema, name: table.source.name }))
  return using(deps.connectors.source(source.systemType, source.url, { ...options, side: 'source' }), async (opened) => {
    const first = await meaning(opened, refs)
    // The catalog of the plan was kept without the values that stand in declarations.
    const now = withheldCatalog(await opened.catalog(refs))
    refuseIf(refs.flatMap((ref) => differences(find(planned, ref), find(now, ref), `${ref.schema}.${ref.name}`)))
    return act(async () => {
      const then = await meaning(opened, refs)
      refuseIf(refs.flatMap((ref, at) => (first[at] === then[at] ? [] : [`${ref.schema}.${ref.name} was redefined while it was read`])))
    })
  })
}

/**
 * Does `act` while every planned target is a table that this plan made, with rows of its own alone, before and after. One that is gone is for whoever compares to
 * say. One connection for both: all workers of a migration begin at once, and a database takes only so many new ones a second.
 * @throws PLAN_NOT_AUTHORISED
 */
export async function whileTargetsAreTables<R>(
  deps: Deps,
  tables: readonly Table[],
  target: End,
  options: ConnectorOptions,
  act: () => Promise<R>,
): Promise<R> {
  return using(deps.connectors.source(target.systemType, target.url, { ...options, side: 'target' }), async (opened) => {
    await refuseOthers(opened, tables)
    const done = await act()
    await refuseOthers(opened, tables)
    return done
  })
}

async function refuseOthers(opened: Source, tables: readonly Table[]): Promise<void> {
  for (const { target: ref } of tables) {
    const found = await opened.catalog([ref]).catch((error: unknown) => {
      if (isWaybillError(error) && error.code === 'NOT_FOUND') return null
      throw error
    })
    const kind = found === null ? undefined : find(found, ref)?.kind
    if (kind !== undefined && kind !== 'table') refuseIf([`the target ${ref.schema}.${ref.name} is a ${kind}; the plan made a table`])
    const heirs = found === null ? [] : (find(found, ref)?.inherited_by ?? [])
    // Threat: a row moved into such a table still counts as the target's, under no key of it.
    refuseIf(
      heirs.map(
        (heir) =>
          `${heir} inherits from the target ${ref.schema}.${ref.name}, and the plan did not make it: end that with ALTER TABLE ${heir} NO INHERIT`,
      ),
    )
  }
}

/** The catalog whose digest the signed plan holds, whichever discovery it is of: no record vouches for it, the digest does. */
async function plannedCatalog(deps: Pick<Ports, 'artifacts'>, plan: Plan): Promise<Catalog> {
  const reports = await listed(deps.artifacts, `projects/${plan.project_id}/discovery_report/`)
  for (const { pointer } of reports.reverse()) {
    const { source } = await getJson(deps.artifacts, pointer, discoveryReport)
    if (digestOf(source) === plan.source.catalog_sha256) return source
  }
  throw new WaybillError(
    'PLAN_NOT_AUTHORISED',
    'nothing was done, because the catalog that the plan was made from is not there. Plan again.',
  )
}

const meaning = async (opened: Source, refs: readonly { schema: string; name: string }[]) => (await opened.definitions?.(refs)) ?? []

const find = (catalog: Catalog, { schema, name }: { schema: string; name: string }) =>
  catalog.tables.find((table) => table.schema === schema && table.name === name)

/** What decides which rows a name stands for and how their values read. Estimates, sequences, indexes and comments change of themselves. */
function declaration(table: CatalogTable): Record<string, string> {
  const columns = table.columns.map(
    ({ default: _default, identity: _identity, identity_kind: _kind, comment: _comment, ...column }) => column,
  )
  return {
    kind: table.kind,
    columns: canonicalJson(columns),
    'primary key': canonicalJson(table.primary_key),
    'partition key': table.partition_key ?? '',
    'inheriting tables': canonicalJson(table.inherited_by ?? []),
    'row security': canonicalJson([table.row_security ?? null, table.policies ?? null]),
  }
}

function differences(planned: CatalogTable | undefined, now: CatalogTable | undefined, name: string): string[] {
  if (planned === undefined) return [`${name} is not in the catalog that the plan was made from`]
  if (now === undefined) return [`${name} is not there any more`]
  if (planned.kind !== now.kind) return [`${name} was planned as a ${planned.kind} and is a ${now.kind} now`]
  const [before, after] = [declaration(planned), declaration(now)]
  const parts = Object.keys(before).filter((part) => before[part] !== after[part])
  return parts.length === 0 ? [] : [`${name} is not declared as it was when it was planned (${parts.join(', ')})`]
}

function refuseIf(faults: readonly string[]): void {
  if (faults.length === 0) return
  throw new WaybillError(
    'PLAN_NOT_AUTHORISED',
    `nothing more was done, because ${faults[0]}. Put it back as it was planned, or plan again.`,
    {
      details: faults,
    },
  )
}
