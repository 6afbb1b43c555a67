import { atOnce } from '../../layers/core/flow/at-once.ts'
import { keysIn } from '../../layers/core/flow/storing.ts'
import type { Ports } from '../../layers/core/ports.ts'
import { type AuditAnchor, auditAnchor } from '../../layers/core/schemas/governance.ts'
import { openPredicate } from '../../layers/core/statement.ts'

/** Every signed anchor of a project's audit chain, the oldest first. @throws EVIDENCE_INVALID when one is not authentic */
export async function anchorsOf(deps: Pick<Ports, 'artifacts' | 'trust'>, projectId: string): Promise<AuditAnchor[]> {
  const found = await atOnce(await keysIn(deps.artifacts, `projects/${projectId}/anchors/`), async (key) => {
    const pointer = await deps.artifacts.find(key)
    return pointer === null ? [] : [openPredicate(await deps.artifacts.get(pointer), deps.trust, 'anchor', auditAnchor).predicate]
  })
  return found.flat()
}
