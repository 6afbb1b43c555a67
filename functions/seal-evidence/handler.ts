import { z } from 'zod'
import { getJson } from '../../layers/core/artifacts.ts'
import { WaybillError } from '../../layers/core/errors.ts'
import { composePack, sealPack } from '../../layers/core/evidence/pack.ts'
import { atOnce } from '../../layers/core/flow/at-once.ts'
import { readEvent, type TaskEvent, type TaskResult, taskEvent } from '../../layers/core/flow/event.ts'
import { keyOf, listed, retainUntil, type StoringDeps, storeJsonOnce, storeOnce } from '../../layers/core/flow/storing.ts'
import type { Ports, Signer } from '../../layers/core/ports.ts'
import { advance, type ProjectDeps } from '../../layers/core/project-service.ts'
import { instant } from '../../layers/core/schemas/common.ts'
import { auditAnchor } from '../../layers/core/schemas/governance.ts'
import { lifecycleState, type ProjectRecord } from '../../layers/core/schemas/project.ts'
import { openPredicate } from '../../layers/core/statement.ts'
import { packInput } from './pack-input.ts'

type Deps = StoringDeps & ProjectDeps & Pick<Ports, 'projects' | 'signers' | 'trust'>

/** Where the audit chain is cut for the pack, and when it is sealed: fixed once, so that an interrupted sealing goes on with the same bytes. */
const sealCut = z.strictObject({
  schema: z.literal('waybill/seal-cut/v1'),
  entries: z.int().min(1),
  state: lifecycleState,
  sealed_at: instant,
})

/** Composes, seals and stores the evidence pack. A complete migration is EVIDENCE_COMPLETE; one rolled back stays ROLLED_BACK. */
export function createHandler(deps: Deps) {
  return async (input: TaskEvent): Promise<TaskResult> => {
    const { project_id, run_id } = readEvent(taskEvent, input)
    const project = await deps.projects.get(project_id)
    if (project.artifacts.evidence_manifest !== undefined) return { project_id, run_id }
    const done = project.state === 'CUTOVER_DONE' || project.state === 'EVIDENCE_COMPLETE'
    await awaitAnchor(deps, project)
    const cut = await storeJsonOnce(deps, keyOf(project_id, 'evidence', 'cut'), async () => ({
      schema: 'waybill/seal-cut/v1',
      entries: (await deps.audit.read(project_id)).length,
      state: done ? 'EVIDENCE_COMPLETE' : project.state,
      sealed_at: deps.clock.now().toISOString(),
    }))
    const { entries, state, sealed_at } = await getJson(deps.artifacts, cut, sealCut)
    const files = composePack(await packInput(deps, project, entries))
    const sealed = await sealPack(onceSigner(deps, project_id), files, { projectId: project_id, state, now: new Date(sealed_at) })
    const pointers = await atOnce(sealed, (file) =>
      deps.artifacts.put(`projects/${project_id}/evidence_pack/${file.path}`, file.bytes, {
        contentType: typeOf(file.path),
        retainUntil: retainUntil(deps),
      }),
    )
    const manifest = pointers[sealed.findIndex((file) => file.path === 'sha256_manifest.json')]
    if (manifest === undefined)
      throw new WaybillError('EVIDENCE_INVALID', 'The sealed pack has no manifest. Report this; nothing was recorded.')
    await advance(deps, project_id, {
      ...(done ? { to: 'EVIDENCE_COMPLETE' as const } : {}),
      actor: 'waybill/seal-evidence',
      action: 'EVIDENCE_SEALED',
      subject_sha256: manifest.sha256,
      artifacts: { evidence_manifest: manifest },
      details: { files: String(sealed.length), state },
    })
    return { project_id, run_id }
  }
}

/**
 * A signature is made once and kept: ECDSA gives another one each time, and the files of a pack that was half stored would not fit together.
 */
function onceSigner(deps: Deps, projectId: string): Signer {
  const { evidence } = deps.signers
  return {
    ...evidence,
    sign: async (digest) => {
      const key = keyOf(projectId, 'evidence', `signature-${Buffer.from(digest).toString('hex')}`, 'der')
      return deps.artifacts.get(await storeOnce(deps, key, 'application/octet-stream', () => evidence.sign(digest)))
    },
  }
}

/** The newest state change must lie under an anchor before the pack is cut; where anchors are made asynchronously it may take a moment. */
async function awaitAnchor(deps: Deps, project: ProjectRecord): Promise<void> {
  const chain = await deps.audit.read(project.project_id)
  const last = chain.findLast((entry) => entry.details.to !== undefined && entry.details.to !== entry.details.from)
  const anchors = await listed(deps.artifacts, `projects/${project.project_id}/anchors/`)
  const sequences = await Promise.all(
    anchors.map(
      async ({ pointer }) => openPredicate(await deps.artifacts.get(pointer), deps.trust, 'anchor', auditAnchor).predicate.sequence,
    ),
  )
  if (last !== undefined && !sequences.some((sequence) => sequence >= last.seq)) {
    await deps.anchors.anchor(project.project_id)
    const now = await deps.artifacts.list(`projects/${project.project_id}/anchors/`)
    if (now.length <= anchors.length) throw new WaybillError('CONFLICT', 'The audit chain is not anchored yet. It is safe to try again.')
  }
}

function typeOf(path: string): string {
  const types: Record<string, string> = {
    json: 'application/json',
    jsonl: 'application/x-ndjson',
    html: 'text/html; charset=utf-8',
    md: 'text/markdown; charset=utf-8',
  }
  return types[path.split('.').at(-1) ?? ''] ?? 'application/octet-stream'
}
