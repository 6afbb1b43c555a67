import type { ConnectorOptions } from '../../layers/core/connector.ts'
import { WaybillError } from '../../layers/core/errors.ts'
import type { Ports } from '../../layers/core/ports.ts'
import type { EndIdentities } from '../../layers/core/schemas/identity.ts'
import type { Plan } from '../../layers/core/schemas/plan.ts'
import { identityInWords, sameSystem } from '../../layers/core/system-identity.ts'
import { type End, resolveEnds, using } from './connections.ts'

export type PlannedEnds = { source: End; target: End; identities: EndIdentities }

/**
 * Both ends, once each was asked which system it is. A plan names secrets, and a secret or variable may lead to another database tomorrow;
 * what people approved is the system that discovery met.
 * @throws PLAN_NOT_AUTHORISED naming the planned system and the one that answered; SPEC_INVALID, NOT_FOUND, PERMISSION_DENIED, CONNECTION_FAILED
 */
export async function plannedEnds(
  deps: Pick<Ports, 'connectors' | 'secrets'>,
  plan: Plan,
  options: ConnectorOptions,
): Promise<PlannedEnds> {
  const ends = await resolveEnds(deps, plan)
  const scope = plan.tables.map(({ source }) => ({ schema: source.schema, name: source.name }))
  const ask = (side: 'source' | 'target') =>
    using(deps.connectors.source(ends[side].systemType, ends[side].url, { ...options, side }), (opened) =>
      opened.identity(side === 'source' ? scope : []),
    )
  const identities = { source: await ask('source'), target: await ask('target') }
  const faults = (['source', 'target'] as const).flatMap((side) => {
    const planned = plan[side].identity
    if (sameSystem(planned, identities[side])) return []
    return [`the plan's ${side} is ${identityInWords(planned)}; the connection leads to ${identityInWords(identities[side])}`]
  })
  if (faults.length === 0) return { ...ends, identities }
  throw new WaybillError('PLAN_NOT_AUTHORISED', `nothing was done, because ${faults[0]}. Connect the planned one, or plan again.`, {
    details: faults,
  })
}
