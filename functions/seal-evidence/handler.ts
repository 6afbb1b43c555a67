import { z } from 'zod'
import { getJson } from '../../layers/core/artifacts.ts'
import { WaybillError } from '../../layers/core/errors.ts'
import { composePack, type PackFile, sealPack } from '../../layers/core/evidence/pack.ts'
import { MANIFEST } from '../../layers/core/evidence/pack-files.ts'
import { atOnce } from '../../layers/core/flow/at-once.ts'
import { readEvent, type TaskEvent, type TaskResult, taskEvent } from '../../layers/core/flow/event.ts'
import { keyOf, retainUntil, type StoringDeps, storeJsonOnce, storeOnce } from '../../layers/core/flow/storing.ts'
import { SIGNING_PURPOSES } from '../../layers/core/names.ts'
import type { Ports, Signer } from '../../layers/core/ports.ts'
import { advance, type ProjectDeps } from '../../layers/core/project-service.ts'
import { instant } from '../../layers/core/schemas/common.ts'
import { lifecycleState, type ProjectRecord } from '../../layers/core/schemas/project.ts'
import { memoryReader, verifyPack } from '../../layers/core/verifier/index.ts'
import { anchorsOf } from '../work/anchors.ts'
import { type VouchedDeps, vouchedRecord } from '../work/vouched-record.ts'
import { packInput } from './pack-input.ts'

const ACTOR = 'waybill/seal-evidence'
const MANIFEST_KEY = (projectId: string) => `projects/${projectId}/evidence_pack/${MANIFEST}`

type Deps = StoringDeps & ProjectDeps & VouchedDeps & Pick<Ports, 'signers'>

/** Where the audit chain is cut for the pack, and when it is sealed: fixed once, so that an interrupted sealing goes on with the same bytes. */
const sealCut = z.strictObject({
  schema: z.literal('waybill/seal-cut/v1'),
  entries: z.int().min(1),
  state: lifecycleState,
  sealed_at: instant,
})

/**
 * Composes, seals, verifies and stores the evidence pack. A complete migration is EVIDENCE_COMPLETE; one rolled back stays ROLLED_BACK.
 * @throws PLAN_NOT_AUTHORISED when nothing vouches for the project record, EVIDENCE_INVALID for a pack that the verifier refuses; then nothing of it is stored
 */
export function createHandler(deps: Deps) {
  return async (input: TaskEvent): Promise<TaskResult> => {
    const { project_id, run_id } = readEvent(taskEvent, input)
    const project = await vouchedRecord(deps, project_id, ACTOR)
    const done = project.state === 'CUTOVER_DONE' || project.state === 'EVIDENCE_COMPLETE'
    if (await isSealed(deps, project)) {
      if (done) await deps.anchors.anchor(project_id)
      return { project_id, run_id }
    }
    const cut = await storeJsonOnce(deps, keyOf(project_id, 'evidence', 'cut'), async () => ({
      schema: 'waybill/seal-cut/v1',
      entries: await anchoredEntries(deps, project_id),
      state: done ? 'EVIDENCE_COMPLETE' : project.state,
      sealed_at: deps.clock.now().toISOString(),
    }))
    const { entries, state, sealed_at } = await getJson(deps.artifacts, cut, sealCut)
    const files = composePack(await packInput(deps, project, entries))
    const sealed = await sealPack(onceSigner(deps, project_id), files, { projectId: project_id, state, now: new Date(sealed_at) })
    await checkPack(deps, sealed)
    const pointers = await atOnce(sealed, (file) =>
      deps.artifacts.put(`projects/${project_id}/evidence_pack/${file.path}`, file.bytes, {
        contentType: typeOf(file.path),
        retainUntil: retainUntil(deps),
      }),
    )
    const manifest = pointers[sealed.findIndex((file) => file.path === MANIFEST)]
    if (manifest === undefined)
      throw new WaybillError('EVIDENCE_INVALID', 'The sealed pack has no manifest. Report this; nothing was recorded.')
    await advance(deps, project_id, {
      ...(done ? { to: 'EVIDENCE_COMPLETE' as const } : {}),
      actor: ACTOR,
      action: 'EVIDENCE_SEALED',
      subject_sha256: manifest.sha256,
      artifacts: { evidence_manifest: manifest },
      details: { files: String(sealed.length), state },
    })
    return { project_id, run_id }
  }
}

/**
 * Whether this very pack was sealed. Threat: a manifest that the project record merely names, which several may write, would have nothing sealed;
 * under the pack's own key only this function writes.
 */
async function isSealed(deps: Deps, { project_id, artifacts: { evidence_manifest: named } }: ProjectRecord): Promise<boolean> {
  return named !== undefined && (await deps.artifacts.find(MANIFEST_KEY(project_id)))?.sha256 === named.sha256
}

/** What an auditor's verifier would say of the pack, under the keys this deployment trusts. @throws EVIDENCE_INVALID */
async function checkPack({ trust }: Deps, sealed: readonly PackFile[]): Promise<void> {
  const pinned = SIGNING_PURPOSES.flatMap((purpose) => trust[purpose].map((pem) => `${purpose}=${pem}`))
  const { verified, faults } = await verifyPack(memoryReader(sealed), { trust: pinned })
  if (verified) return
  throw new WaybillError('EVIDENCE_INVALID', `Nothing was sealed, because the pack would not be verified: ${faults[0]}`, {
    details: faults.slice(0, 50),
  })
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

/**
 * How many entries of the chain lie under an anchor: all there are now. The pack ends there, for nobody who reads the log itself vouches for
 * what comes after; an entry that is appended meanwhile is no part of it.
 */
async function anchoredEntries(deps: Deps, projectId: string): Promise<number> {
  const { length } = await deps.audit.read(projectId)
  const anchored = async () => Math.max(-1, ...(await anchorsOf(deps, projectId)).map(({ sequence }) => sequence)) + 1
  const before = await anchored()
  if (before >= length) return before
  await deps.anchors.anchor(projectId)
  const now = await anchored()
  // Where anchors are made asynchronously it may take a moment.
  if (now < length) throw new WaybillError('CONFLICT', 'The audit chain is not anchored yet. It is safe to try again.')
  return now
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
