import { join } from 'node:path'
import { expect, it } from 'vitest'
import { reviewAudit } from '../../layers/core/audit-review.ts'
import { directoryArtifactStore } from '../../layers/local/artifact-store.ts'
import { sqliteAuditLog } from '../../layers/local/audit-log.ts'
import { systemClock } from '../../layers/local/clock.ts'
import { openHome } from '../../layers/local/home.ts'
import { sqliteProjectStore } from '../../layers/local/project-store.ts'
import { fileSigners } from '../../layers/local/signer.ts'
import { startChild } from './child-process.ts'
import { change, PROJECT } from './children/audited-change.ts'
import { temporaryFolder } from './temporary.ts'

const ACTIONS = ['PROJECT_CREATED', 'DISCOVERY_PROPOSED', 'PROFILE_PROPOSED']

async function faultsOf(home: ReturnType<typeof openHome>, complete: boolean): Promise<string[]> {
  const store = directoryArtifactStore({ folder: home.artifacts, db: home.db, clock: systemClock })
  const anchor = [await fileSigners({ folder: home.keys }).anchor.publicKeyPem()]
  const anchors = await Promise.all(
    (await store.list(`projects/${PROJECT}/anchors/`)).map(async (name) => ({ name, bytes: await store.get((await store.find(name))!) })),
  )
  const entries = await sqliteAuditLog(home).read(PROJECT)
  const { faults } = reviewAudit({
    projectId: PROJECT,
    entries,
    anchors,
    trust: { plan: [], approval: [], evidence: [], anchor },
    reasonings: null,
    stored: await sqliteProjectStore(home)
      .get(PROJECT)
      .catch(() => null),
  })
  // Before the change is done, its last move may not be anchored yet, and there may be no entry at all; record and log say the same all the time.
  return complete ? faults : faults.filter((fault) => !/was not anchored|chain is empty/.test(fault))
}

it('the audit log is whole after a kill at every single write, and complete after the retry', { timeout: 300_000 }, async () => {
  const { folder, remove } = temporaryFolder()
  try {
    const count = startChild('audited-change.ts', join(folder, 'whole'), '0')
    expect(await count.ended).toMatchObject({ code: 0, stderr: '' })
    const writes = Number.parseInt(count.lines[0]!, 10)
    expect(writes).toBeGreaterThan(20)
    const killed = async (point: number) => {
      const at = join(folder, `home-${point}`)
      expect((await startChild('audited-change.ts', at, String(point)).ended).signal, `write ${point}`).toBe('SIGKILL')
      const home = openHome(at)
      try {
        expect(await faultsOf(home, false), `write ${point}`).toEqual([])
        const before = await sqliteAuditLog(home).read(PROJECT)
        await change(home)
        const after = await sqliteAuditLog(home).read(PROJECT)
        expect(after.slice(0, before.length), `write ${point}`).toEqual(before)
        expect(
          after.map(({ action }) => action),
          `write ${point}`,
        ).toEqual(ACTIONS)
        expect(await faultsOf(home, true), `write ${point}`).toEqual([])
        expect(home.db.prepare('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' })
      } finally {
        home.close()
      }
    }
    for (let point = 1; point <= writes; point += 3)
      await Promise.all([point, point + 1, point + 2].filter((each) => each <= writes).map(killed))
  } finally {
    remove()
  }
})
