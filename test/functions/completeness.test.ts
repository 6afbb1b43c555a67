import { describe, expect, it } from 'vitest'
import { canonicalBytes } from '../../layers/core/canonical-json.ts'
import type { ArtifactStore } from '../../layers/core/ports.ts'
import { type TestPlatform, testPlatform } from './support/platform.ts'
import { storeSpec, tell } from './support/story.ts'

/**
 * A Map that succeeds proves that its items ended, and not that each was done: an emulator of the service takes a list of two for one item and
 * succeeds. What was expected is compared with what was completed by code, from what lies in the store.
 */
type States = Record<string, Record<string, unknown>>

/** As if the service had said that a state succeeded, with nothing done. */
function skipped(machine: string, state: string) {
  return (name: string, { States }: { States: States }) => {
    if (name !== machine) return
    const { Next, Output } = States[state]!
    States[state] = { Type: 'Pass', Next, ...(state === 'RunChecks' ? {} : { Output }) }
  }
}

async function failureOf(on: TestPlatform): Promise<string | undefined> {
  const id = await storeSpec(on)
  try {
    const { project } = await tell(on, id)
    expect(project?.state).toBe('FAILED')
    return project?.failure?.code
  } finally {
    await on.close()
  }
}

/** Alters what is stored under keys that match, on its way into the store. */
async function altering(match: RegExp, change: (document: Record<string, unknown>) => unknown): Promise<TestPlatform> {
  const on = await testPlatform()
  const { artifacts } = on.ports
  const put: ArtifactStore['put'] = (key, bytes, options) =>
    artifacts.put(key, match.test(key) ? canonicalBytes(change(JSON.parse(Buffer.from(bytes).toString()))) : bytes, options)
  on.ports.artifacts = { ...artifacts, put }
  return on
}

describe('a state that succeeded with nothing done', () => {
  it.each([
    ['migration', 'CopyChunks', 'CHUNK_INCOMPLETE'],
    ['reconcile', 'HashBatches', 'SEGMENT_INCOMPLETE'],
    ['reconcile', 'RunChecks', 'SEGMENT_INCOMPLETE'],
  ])('%s/%s is found out', async (machine, state, code) => {
    expect(await failureOf(await testPlatform({ patch: skipped(machine, state) }))).toBe(code)
  })
})

describe('a chunk', () => {
  it.each([
    ['of another plan', (work: Record<string, unknown>) => ({ ...work, plan_sha256: 'a'.repeat(64) })],
    ['that is another', (work: Record<string, unknown>) => ({ ...work, result: { ...(work.result as object), chunk_id: 'item-c000001' } })],
    ['of another table', (work: Record<string, unknown>) => ({ ...work, result: { ...(work.result as object), table_id: 'other' } })],
  ])('%s does not count', async (_what, change) => {
    expect(await failureOf(await altering(/\/copy-chunk\/item-c000002\.json$/, change))).toBe('CHUNK_INCOMPLETE')
  })

  it('that the list names twice is not two', async () => {
    const on = await testPlatform()
    const { artifacts } = on.ports
    const doubled = (bytes: Uint8Array) => Buffer.concat([bytes, bytes])
    on.ports.artifacts = {
      ...artifacts,
      put: (key, bytes, options) => artifacts.put(key, /\/chunks\//.test(key) ? doubled(bytes) : bytes, options),
    }
    expect(await failureOf(on)).toBe('CHUNK_INCOMPLETE')
  })
})

describe('a proof', () => {
  it.each([
    ['checks of another run', /\/checks_report\//, { run_id: 'another-run' }],
    ['checks under another plan', /\/checks_report\//, { plan_sha256: 'a'.repeat(64) }],
    ['checks of another project', /\/checks_report\//, { project_id: 'another' }],
    ['a comparison of another run', /\/recon_report\//, { run_id: 'another-run' }],
    ['a comparison under another plan', /\/recon_report\//, { plan_sha256: 'a'.repeat(64) }],
    ['a comparison of another project', /\/recon_report\//, { project_id: 'another' }],
    ['a comparison that completed less than it should', /\/recon_report\//, { items_completed: 0 }],
    ['a copy under another plan', /\/execution_report\//, { plan_sha256: 'a'.repeat(64) }],
    ['a copy of another project', /\/execution_report\//, { project_id: 'another' }],
  ])('is not made from %s', async (_what, match, change) => {
    const on = await altering(match, (document) => ({ ...document, ...change }))
    const id = await storeSpec(on)
    const { project } = await tell(on, id)
    // Either the documents contradict each other, or the proof says that it does not hold: the project goes no further in any case.
    expect([project?.state, project?.failed_from]).toEqual(['FAILED', expect.stringMatching(/^(EXECUTED|RECONCILED)$/)])
    expect(project?.failure?.code).toMatch(/^(EVIDENCE_INVALID|HOLD)$/)
    await on.close()
  })
})
