import { afterAll, beforeAll, expect, it } from 'vitest'
import { createHandler as createAnchorHandler } from '../../functions/anchor-audit/handler.ts'
import { createHandler } from '../../functions/seal-evidence/handler.ts'
import { nextEntry } from '../../layers/core/audit-chain.ts'
import { sha256 } from '../../layers/core/digest.ts'
import { formPaths, SEAL } from '../../layers/core/evidence/pack-files.ts'
import { SIGNING_PURPOSES } from '../../layers/core/names.ts'
import type { ArtifactStore, Ports } from '../../layers/core/ports.ts'
import type { AuditEntry } from '../../layers/core/schemas/governance.ts'
import type { Policy } from '../../layers/core/schemas/policy.ts'
import { memoryReader, verifyPack } from '../../layers/core/verifier/index.ts'
import { type TestPlatform, testPlatform } from './support/platform.ts'
import { storeSpec, tell } from './support/story.ts'

let on: TestPlatform
let id: string

beforeAll(async () => {
  on = await testPlatform()
  id = await storeSpec(on)
  await tell(on, id)
}, 120_000)
afterAll(() => on.close())

/** The project's stored artifacts as they were before sealing; what is sealed now is kept apart. */
function apart(store: ArtifactStore, entries: number): ArtifactStore & { written: Map<string, Uint8Array> } {
  const written = new Map<string, Uint8Array>()
  const isSealing = (key: string) => key.startsWith(`projects/${id}/evidence_pack/`) || key.startsWith(`projects/${id}/evidence/`)
  /** An anchor over what is entered when the pack is sealed, and behind it. */
  const isLater = (key: string) => Number(/\/anchors\/(\d+)\./.exec(key)?.[1] ?? -1) >= entries
  const pointer = (key: string) => ({ uri: `memory:${key}`, version_id: '1', sha256: sha256(written.get(key)!) })
  return {
    written,
    put: async (key, bytes) => {
      written.set(key, Uint8Array.from(bytes))
      return pointer(key)
    },
    find: async (key) => (written.has(key) ? pointer(key) : isSealing(key) || isLater(key) ? null : store.find(key)),
    get: async (at) => written.get(at.uri.replace(/^memory:/, '')) ?? store.get(at),
    list: async (prefix) =>
      [
        ...(await store.list(prefix)).filter((key) => !isSealing(key) && !isLater(key)),
        ...[...written.keys()].filter((key) => key.startsWith(prefix)),
      ].toSorted(),
    remove: store.remove,
  }
}

/** `policy`: in force when the pack is sealed. `appended`: to the log before the sealing, and just after it asked for an anchor. */
type Sealing = { policy?: Policy; appended?: [before?: string, meanwhile?: string] }

async function seal({ policy = on.ports.policy, appended = [] }: Sealing = {}): Promise<Map<string, Uint8Array>> {
  const whole = await on.ports.audit.read(id)
  const sealedAt = whole.findIndex(({ action }) => action === 'EVIDENCE_SEALED')
  expect(sealedAt).toBeGreaterThan(0)
  const artifacts = apart(on.ports.artifacts, sealedAt)
  const chain = whole.slice(0, sealedAt)
  const append = (action: string) => {
    const fields = { project_id: id, at: chain.at(-1)!.at, actor: 'waybill', action }
    chain.push(nextEntry(chain.at(-1)!, fields))
  }
  const [before, meanwhile] = appended
  if (before !== undefined) append(before)
  const { evidence_manifest: _, ...rest } = (await on.ports.projects.get(id)).artifacts
  const revision = Number(chain.slice(0, sealedAt).findLast(({ details }) => details.to === 'CUTOVER_DONE')!.details.revision)
  const project = { ...(await on.ports.projects.get(id)), revision, state: 'CUTOVER_DONE' as const, artifacts: rest }
  const ports = {
    ...on.ports,
    artifacts,
    policy,
    clock: { now: () => new Date('2099-05-01T12:00:00.000Z') },
    projects: { ...on.ports.projects, get: async () => project, update: async () => 'WRITTEN' as const },
    audit: {
      head: async () => chain.at(-1)!,
      read: async (_id: string, from = 0) => chain.slice(from),
      append: async () => {},
    },
  } as Ports
  ports.anchors = {
    async anchor() {
      await createAnchorHandler(ports)({ project_id: id, run_id: 'again' })
      if (meanwhile !== undefined) append(meanwhile)
    },
  }
  await createHandler(ports)({ project_id: id, run_id: 'again' })
  const prefix = `projects/${id}/evidence_pack/`
  return new Map([...artifacts.written].filter(([key]) => key.startsWith(prefix)).map(([key, bytes]) => [key.slice(prefix.length), bytes]))
}

it('sealed twice from the same state at the same time, differs in the seal’s signature and in nothing else', async () => {
  const [first, second] = [await seal(), await seal()]
  expect([...first.keys()]).toEqual([...second.keys()])
  expect(first.size).toBeGreaterThan(80)
  const different = [...first].filter(([path, bytes]) => !Buffer.from(bytes).equals(second.get(path)!)).map(([path]) => path)
  const [envelope, , signature, , bundle] = formPaths(SEAL)
  // An ECDSA signature holds a random number; these are the signature and what it stands in or is asked to be stamped as.
  expect(different.toSorted()).toEqual([envelope, signature, bundle, 'timestamp/signature.tsq'].toSorted())
  for (const pack of [first, second])
    expect((await verifyPack(memoryReader([...pack].map(([path, bytes]) => ({ path, bytes }))))).faults).toEqual([])
})

it('ends where an anchor lies: what was said last is anchored first, and what is said meanwhile is no part of it', async () => {
  const actions = async (appended: Sealing['appended'] & {}) => {
    const pack = await seal({ appended })
    const pins = await Promise.all(SIGNING_PURPOSES.map(async (each) => `${each}=${await on.ports.signers[each].publicKeyPem()}`))
    const files = [...pack].map(([path, bytes]) => ({ path, bytes }))
    const { faults, trust } = await verifyPack(memoryReader(files), { trust: pins })
    expect([faults, trust]).toEqual([[], 'pinned'])
    const lines = Buffer.from(pack.get('audit/entries.jsonl')!).toString('utf8').trimEnd().split('\n')
    return lines.map((line) => (JSON.parse(line) as AuditEntry).action)
  }
  const plain = await actions([])
  expect(await actions(['APPROVER_REMINDED'])).toEqual([...plain, 'APPROVER_REMINDED'])
  expect(await actions(['APPROVER_REMINDED', 'RUN_RECORDED'])).toEqual([...plain, 'APPROVER_REMINDED'])
}, 60_000)

it('whether values go into a pack is what the policy said that people signed under, not the one in force when it is sealed', async () => {
  const holds = async (values_in_evidence: boolean) => {
    const { policy } = on.ports
    const pack = await seal({ policy: { ...policy, pii: { ...policy.pii, values_in_evidence } } })
    return pack.has('plan/profiling_report.json')
  }
  expect(await holds(true)).toBe(false)
  const [before, beforeId] = [on, id]
  try {
    on = await testPlatform({ policy: { pii: { ...before.ports.policy.pii, values_in_evidence: true } } })
    id = await storeSpec(on)
    await tell(on, id)
    expect(await holds(false)).toBe(true)
  } finally {
    await on.close()
    on = before
    id = beforeId
  }
}, 60_000)
