import { z } from 'zod'
import { anchorFaults, chainFaults } from '../../layers/core/audit-chain.ts'
import { WaybillError } from '../../layers/core/errors.ts'
import { readEvent } from '../../layers/core/flow/event.ts'
import { JSON_TYPE, keyOf, type StoringDeps, storeOnce } from '../../layers/core/flow/storing.ts'
import type { Ports } from '../../layers/core/ports.ts'
import { slug } from '../../layers/core/schemas/common.ts'
import type { AuditAnchor } from '../../layers/core/schemas/governance.ts'
import { PREDICATES, signStatement, statementOf } from '../../layers/core/statement.ts'
import { anchorsOf } from '../work/anchors.ts'

type Deps = StoringDeps & Pick<Ports, 'audit' | 'signers' | 'trust'>

const anchorEvent = z.object({ project_id: slug })

/**
 * Signs the head of a project's audit chain, as it reads it, and stores the anchor once. The caller names the project and nothing else:
 * nobody can have something signed that the log does not say. Threat: an anchor over a chain that was cut or rewritten would vouch for it, and
 * whatever asked for the next anchor would have healed the forgery. So the chain must first agree with every anchor there is.
 * @throws EVIDENCE_INVALID when it does not, NOT_FOUND when the log is empty
 */
export function createHandler(deps: Deps) {
  return async (input: { project_id: string; run_id: string }): Promise<{ project_id: string }> => {
    const { project_id } = readEvent(anchorEvent, input)
    // Anchors first: one made meanwhile lies over entries that an earlier reading of the log does not have.
    const anchors = await anchorsOf(deps, project_id)
    const entries = await deps.audit.read(project_id)
    const faults = [...chainFaults(entries), ...anchorFaults(entries, anchors)]
    if (faults.length > 0) throw new WaybillError('EVIDENCE_INVALID', `Nothing was anchored, because ${faults[0]}`, { details: faults })
    const head = entries.at(-1)
    if (head === undefined) throw new WaybillError('NOT_FOUND', `The audit log of ${project_id} is empty; there is nothing to anchor.`)
    const predicate: AuditAnchor = {
      schema: 'waybill/audit-anchor/v1',
      project_id,
      sequence: head.seq,
      head_sha256: head.entry_sha256,
      count: head.seq + 1,
      anchored_at: deps.clock.now().toISOString(),
    }
    const subject = [{ name: 'audit_chain', sha256: head.entry_sha256 }]
    await storeOnce(deps, keyOf(project_id, 'anchors', String(head.seq).padStart(8, '0'), 'dsse.json'), JSON_TYPE, async () => {
      return (await signStatement(deps.signers.anchor, statementOf({ predicateType: PREDICATES.anchor, subject, predicate }))).bytes
    })
    return { project_id }
  }
}
