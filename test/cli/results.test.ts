import { lstat, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { writeResults } from '../../cli/run/results.ts'
import type { PackFile } from '../../layers/core/evidence/pack.ts'
import { STAMPED_BUNDLE, TIMESTAMP_RESPONSES } from '../../layers/core/evidence/timestamp-request.ts'
import type { Ports } from '../../layers/core/ports.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'
import { directoryArtifactStore } from '../../layers/local/artifact-store.ts'
import { systemClock } from '../../layers/local/clock.ts'
import { temporaryHomes } from '../local/temporary.ts'
import { fixturePackInput, sealFixture } from '../support/pack-fixture.ts'

let homes: ReturnType<typeof temporaryHomes>
beforeEach(() => {
  homes = temporaryHomes()
})
afterEach(() => homes.done())

const { input, signers } = await fixturePackInput()
const pack = await sealFixture(input, signers)
const resealed = await sealFixture(input, signers)

describe('the folder of the results, written anew', () => {
  const out = () => join(homes.folder, 'out')
  const inPack = (path: string) => join(out(), 'evidence_pack', path)
  const there = (path: string) =>
    lstat(inPack(path)).then(
      () => true,
      () => false,
    )
  async function write(projectId: string, files: readonly PackFile[]): Promise<void> {
    const artifacts = directoryArtifactStore({ folder: homes.first.artifacts, db: homes.first.db, clock: systemClock })
    for (const { path, bytes } of files) {
      const key = `projects/${projectId}/evidence_pack/${path}`
      await artifacts.put(key, bytes, { contentType: 'text/plain', retainUntil: new Date() })
    }
    await writeResults({ artifacts } as unknown as Ports, { project_id: projectId, artifacts: {} } as unknown as ProjectRecord, out())
  }
  async function stamp(): Promise<void> {
    for (const path of TIMESTAMP_RESPONSES) await writeFile(inPack(path), `answer in ${path}`)
  }

  it('keeps the answers of a timestamp authority, and nothing else that was put there', async () => {
    await write('p', pack)
    await stamp()
    await writeFile(inPack('timestamp/other.tsr'), 'x')
    await writeFile(inPack('report.md'), 'changed')
    await write('p', pack)
    for (const path of TIMESTAMP_RESPONSES) expect(await readFile(inPack(path), 'utf8')).toBe(`answer in ${path}`)
    expect(await there('timestamp/other.tsr')).toBe(false)
    expect(await readFile(inPack('report.md'), 'utf8')).toBe('# Report\n')
  })

  it('keeps no answer about other bytes than lie there now', async () => {
    await write('p', pack)
    await stamp()
    // The same list under another signature: the answer about the list still holds.
    await write('q', resealed)
    expect([await there('timestamp/manifest.tsr'), await there('timestamp/signature.tsr'), await there(STAMPED_BUNDLE)]).toEqual([
      true,
      false,
      false,
    ])
    const other = await fixturePackInput({ projectId: 'orders' })
    await write('r', await sealFixture(other.input, other.signers))
    expect(await there('timestamp/manifest.tsr')).toBe(false)
  })

  it('follows no link in the place of an answer', async () => {
    await write('p', pack)
    const secret = join(homes.folder, 'secret')
    await writeFile(secret, 'mine')
    await mkdir(dirname(inPack('timestamp/manifest.tsr')), { recursive: true })
    await symlink(secret, inPack('timestamp/manifest.tsr'))
    await write('p', pack)
    expect(await there('timestamp/manifest.tsr')).toBe(false)
    await rm(secret)
  })
})
