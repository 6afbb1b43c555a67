import { DeleteObjectCommand } from '@aws-sdk/client-s3'
import { beforeAll, describe, expect, it } from 'vitest'
import type { DownloadedPack } from '../../../layers/aws/account/pack-versions.ts'
import { memoryReader, verifyPack } from '../../../layers/core/verifier/index.ts'
import { withClient } from '../../support/postgres.ts'
import { controlPlaneMs, historyEvents, report } from '../harness/figures.ts'
import { type Ended, migrate, mustBe } from '../harness/migrate.ts'
import { packOf, pinnedKeys, type Stage } from '../harness/stage.ts'

const PARENT_EVENTS = 2_000
const PAYLOAD_BYTES = 32 * 1024

/** The whole story, undisturbed. */
export function wholeMigration(on: () => Stage, flightsToMove: number): void {
  describe('a migration in a deployed account', () => {
    let ended: Ended
    let pack: DownloadedPack
    let targetUrl: string
    let stage: Stage

    beforeAll(async () => {
      stage = on()
      const { account, flights, browser } = stage
      targetUrl = await flights.prepare(account, 'flights-aws')
      ended = await migrate(account, browser, 'flights-aws')
      mustBe(account, ended, 'SUCCEEDED')
      pack = await packOf(stage, 'flights-aws')
    })

    it('is decided by the people its policy names, each by a link from a mail', () => {
      expect(ended.decisions.map(({ to, said }) => [to, said])).toEqual([
        ['tech.lead@example.com', 'Answers stored'],
        ['tech.lead@example.com', 'Approved'],
        ['data.owner@example.com', 'Approved'],
        ['security@example.com', 'Approved'],
        ['qa.lead@example.com', 'Approved'],
        ['business.owner@example.com', 'Approved'],
        ['release.manager@example.com', 'Approved'],
        ['data.owner@example.com', 'Approved'],
      ])
    })

    it('copies and compares in workers, which all end well', async () => {
      expect(stage.account.workers.ran.map(({ worker, ended: how }) => `${worker} ${how}`)).toEqual(
        ['prepare-target', 'copy-chunk', 'finish-target', 'hash-segments', 'run-checks', 'hash-segments', 'run-checks'].map(
          (worker) => `${worker} 0`,
        ),
      )
      const { rows } = await withClient(targetUrl, (client) => client.query('SELECT count(*)::text AS flights FROM aviation.flight'))
      expect(rows).toEqual([{ flights: String(flightsToMove) }])
    })

    it('leaves a pack of locked versions that verifies offline with the keys of the account', async () => {
      expect(pack.covered).toEqual([])
      for (const { path, version_id, lock, retain_until } of pack.files)
        expect([path, version_id, lock, Date.parse(retain_until ?? '') > Date.now()]).toEqual([
          path,
          expect.stringMatching(/^[\w.-]{8,}$/),
          'GOVERNANCE',
          true,
        ])
      const verification = await verifyPack(memoryReader(pack.files), { trust: await pinnedKeys(stage) })
      expect([verification.faults, verification.verified, verification.trust]).toEqual([[], true, 'pinned'])
      const [seal] = pack.files
      const deletion = {
        Bucket: stage.account.bucket,
        Key: `projects/flights-aws/evidence_pack/${seal!.path}`,
        VersionId: seal!.version_id,
      }
      await expect(stage.account.s3.send(new DeleteObjectCommand(deletion))).rejects.toThrow(/Access Denied|AccessDenied/)
    })

    it('does not verify with another key, nor with one byte changed', async () => {
      const keys = await pinnedKeys(stage)
      const swapped = keys.map((key) =>
        key.replace(/^(evidence|anchor)=/, (_, purpose) => (purpose === 'anchor' ? 'evidence=' : 'anchor=')),
      )
      expect((await verifyPack(memoryReader(pack.files), { trust: swapped })).verified).toBe(false)
      for (const path of ['outcome.json', 'merkle.json', 'sha256_manifest.json']) {
        expect(pack.files.map((file) => file.path)).toContain(path)
        const files = pack.files.map((file) => (file.path === path ? { ...file, bytes: flipped(file.bytes) } : file))
        const { verified, faults } = await verifyPack(memoryReader(files), { trust: keys })
        expect([path, verified, faults.length > 0]).toEqual([path, false, true])
      }
    })

    it('stays far below what the service takes in history and payload', () => {
      const { account } = stage
      const history = account.runner.history('flights-aws')
      const events = historyEvents(history)
      const { bytes, state } = account.largestPayload()
      expect(events).toBeLessThan(PARENT_EVENTS)
      expect(bytes).toBeLessThanOrEqual(PAYLOAD_BYTES)
      expect(bytes).toBeGreaterThan(0)
      const overhead = controlPlaneMs(history, [...account.workers.ran, ...ended.decisions.flatMap(({ thinking }) => thinking)])
      report([
        {
          what: `control plane of a run of ${flightsToMove} flights, without workers and people`,
          measured: `${(overhead / 1000).toFixed(1)} s`,
          wanted: '< 60 s',
        },
        { what: 'events in the history of the parent execution', measured: String(events), wanted: `< ${PARENT_EVENTS}` },
        { what: `largest input, output or variables of a state (${state})`, measured: `${bytes} bytes`, wanted: `≤ ${PAYLOAD_BYTES}` },
      ])
    })
  })
}

function flipped(bytes: Uint8Array): Uint8Array {
  const changed = Uint8Array.from(bytes)
  changed[changed.length >> 1]! ^= 1
  return changed
}
