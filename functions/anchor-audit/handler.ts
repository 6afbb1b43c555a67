import { z } from 'zod'
import { WaybillError } from '../../layers/core/errors.ts'
import { readEvent } from '../../layers/core/flow/event.ts'
import { JSON_TYPE, keyOf, type StoringDeps, storeOnce } from '../../layers/core/flow/storing.ts'
import type { Ports } from '../../layers/core/ports.ts'
import { slug } from '../../layers/core/schemas/common.ts'
import type { AuditAnchor } from '../../layers/core/schemas/governance.ts'
import { PREDICATES, signStatement, statementOf } from '../../layers/core/statement.ts'

type Deps = StoringDeps & Pick<Ports, 'audit' | 'signers'>

const anchorEvent = z.object({ project_id: slug })

/**
 * Signs the head of a project's audit chain, as it reads it, and stores the anchor once. The caller names the project and nothing else:
 * nobody can have something signed that the log does not say.
 */
export function createHandler(deps: Deps) {
  return async (input: { project_id: string; run_id: string }): Promise<{ project_id: string }> => {
    const { project_id } = readEvent(anchorEvent, input)
    const head = await deps.audit.head(project_id)
    if (head === null) throw new WaybillError('NOT_FOUND', `The audit log of ${project_id} is empty; there is nothing to anchor.`)
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
      return (await signStatement(deps.signers.evidence, statementOf({ predicateType: PREDICATES.anchor, subject, predicate }))).bytes
    })
    return { project_id }
  }
}
