import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { reviewOf } from '../../cli/audit/log.ts'
import { anchorsIn } from '../../cli/platform/embedded.ts'
import { writeResults } from '../../cli/run/results.ts'
import { passkeyPart } from '../../functions/work/passkeys.ts'
import { nextEntry } from '../../layers/core/audit-chain.ts'
import { keysIn, listed } from '../../layers/core/flow/storing.ts'
import { trendOf } from '../../layers/core/nights/trend.ts'
import { verifyPack } from '../../layers/core/verifier/index.ts'
import { openPackFolder } from '../../layers/local/pack-folder.ts'
import { type TestPlatform, testPlatform } from '../functions/support/platform.ts'
import { PEOPLE, storeSpec, tell } from '../functions/support/story.ts'
import { temporaryFolder } from '../local/temporary.ts'

// Whoever may write the explanations of any project: in IAM the star for the project also stands for folders below it.
const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const KEEP = { contentType: 'application/json', retainUntil: new Date(Date.now() + 86_400_000) }
const GARBAGE = Buffer.from('{"planted":true}')

/** Every folder that some function lists. */
const LISTED = [
  'anchors',
  'approvals',
  'waivers',
  'nights',
  'segments',
  'migration_plan',
  'discovery_report',
  'execution_report',
  'recon_report',
  'checks_report',
  'differences',
  'proof_certificate',
  'explanation',
]

const recordsOf = ({ ports }: TestPlatform) => ({ ports, anchors: (id: string) => anchorsIn(ports.artifacts, id) })

describe('objects planted below a folder by whoever writes another one', () => {
  it.each([...LISTED, 'work/run.run-1/failures'])('are not read from %s', async (folder) => {
    const on = await testPlatform()
    try {
      const { artifacts } = on.ports
      const own = `projects/p/${folder}/`
      await artifacts.put(`${own}honest.json`, Buffer.from('{}'), KEEP)
      for (const name of ['explanation/honest.json', 'explanation/00000099.dsse.json', 'a/b/explanation/c.json'])
        await artifacts.put(`${own}${name}`, GARBAGE, KEEP)
      expect(await keysIn(artifacts, own)).toEqual([`${own}honest.json`])
      expect((await listed(artifacts, own)).map(({ key }) => key)).toEqual([`${own}honest.json`])
    } finally {
      await on.close()
    }
  })

  it('neither stop a migration nor get into what it leaves behind', { timeout: 90_000 }, async () => {
    const on = await testPlatform()
    const { folder, remove } = temporaryFolder()
    try {
      const { artifacts } = on.ports
      const id = await storeSpec(on)
      const planted = [...LISTED, 'work/run.run-1/failures', 'mapping_reasoning'].map((name) => `projects/${id}/${name}/explanation/1.json`)
      const person = await passkeyPart(on.ports, PEOPLE.security)
      for (const key of [...planted, `projects/_people/passkeys/${person}/explanation/1.json`]) await artifacts.put(key, GARBAGE, KEEP)
      const { project } = await tell(on, id)
      expect([project?.failure ?? null, project?.state]).toEqual([null, 'EVIDENCE_COMPLETE'])

      await artifacts.put(`projects/${id}/evidence_pack/explanation/1.json`, GARBAGE, KEEP)
      await writeResults(on.ports, project!, folder)
      const { verified, faults } = await verifyPack(await openPackFolder(join(folder, 'evidence_pack')))
      expect([verified, faults]).toEqual([true, []])
      expect((await trendOf(on.ports, project!)).nights.length).toBeGreaterThan(0)
      const entries = await on.ports.audit.read(id)
      expect((await reviewOf(recordsOf(on), { project: id, entries, fault: null }, { trust: on.ports.trust, kept: [] })).faults).toEqual([])
    } finally {
      await on.close()
      remove()
    }
  })

  it('lend an entry no reasoning: one is a name in the folder of the agent itself', async () => {
    const on = await testPlatform()
    try {
      const id = await storeSpec(on)
      await on.call('create-project', { project_id: id, run_id: 'run-1' })
      const put = (key: string) => on.ports.artifacts.put(key, GARBAGE, KEEP)
      const { sha256 } = await put(`projects/${id}/anchors/mapping_reasoning/1.json`)
      const { audit, clock } = on.ports
      const fields = { project_id: id, at: clock.now().toISOString(), actor: 'agent/mapping', action: 'MAPPING_PROPOSED' }
      await audit.append(nextEntry(await audit.head(id), { ...fields, reasoning_sha256: sha256 }))
      const review = async () =>
        reviewOf(recordsOf(on), { project: id, entries: await audit.read(id), fault: null }, { trust: on.ports.trust, kept: [] })
      const before = await review()
      expect(before.faults.join('\n')).toMatch(/reasoning/)
      await put(`projects/${id}/mapping_reasoning/1.json`)
      expect((await review()).faults.length).toBe(before.faults.length - 1)
    } finally {
      await on.close()
    }
  })

  it('are met by no other reading: whoever lists artifacts does it by keysIn, or says what it takes', () => {
    const found = ['functions', 'layers/core', 'layers/agents', 'cli']
      .flatMap((folder) =>
        readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
          .filter((path) => path.endsWith('.ts'))
          .map((path) => join(folder, path)),
      )
      .filter((path) => /\b(artifacts|store)\.list\(/.test(readFileSync(join(ROOT, path), 'utf8')))
    expect(found.toSorted()).toEqual(['cli/audit/log.ts', 'cli/run/results.ts', 'layers/core/flow/storing.ts'])
  })
})
