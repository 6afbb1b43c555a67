import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { ACTION_RULES, ruleReasoningSha256 } from '../../layers/core/action-rules.ts'
import { entryDigest } from '../../layers/core/audit-chain.ts'
import { reviewAudit } from '../../layers/core/audit-review.ts'
import type { AuditEntry } from '../../layers/core/schemas/governance.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'
import { waybill } from '../end-to-end/command.ts'
import { type TestPlatform, testPlatform } from '../functions/support/platform.ts'
import { storeSpec, tell } from '../functions/support/story.ts'

let on: TestPlatform
let id: string
let entries: AuditEntry[]
let anchors: { name: string; bytes: Uint8Array }[]
let reasonings: Set<string>
let stored: ProjectRecord

beforeAll(async () => {
  on = await testPlatform()
  id = await storeSpec(on, { ask: true })
  await tell(on, id)
  entries = await on.ports.audit.read(id)
  stored = await on.ports.projects.get(id)
  anchors = []
  reasonings = new Set()
  for (const key of await on.ports.artifacts.list(`projects/${id}/`)) {
    const pointer = (await on.ports.artifacts.find(key))!
    if (key.startsWith(`projects/${id}/anchors/`))
      anchors.push({ name: key.split('/').at(-1)!, bytes: await on.ports.artifacts.get(pointer) })
    if (key.includes('_reasoning/')) reasonings.add(pointer.sha256)
  }
}, 120_000)
afterAll(() => on.close())

const review = (chain: readonly AuditEntry[], more: Partial<Parameters<typeof reviewAudit>[0]> = {}) =>
  reviewAudit({ projectId: id, entries: chain, anchors, trust: on.ports.trust, reasonings, stored, ...more })

/** A chain whose every digest holds again after a change: what somebody with write access can make. */
function rehashed(chain: readonly AuditEntry[]): AuditEntry[] {
  const made: AuditEntry[] = []
  for (const [seq, entry] of chain.entries()) {
    const { entry_sha256: _, ...body } = { ...entry, seq, prev_sha256: made.at(-1)?.entry_sha256 ?? '0'.repeat(64) }
    made.push({ ...body, entry_sha256: entryDigest(body) })
  }
  return made
}

describe('the log of a whole run', () => {
  it('has a reasoning behind every action of every component', () => {
    expect(entries.length).toBeGreaterThan(30)
    expect(review(entries).faults).toEqual([])
    for (const entry of entries) {
      const written = reasonings.has(entry.reasoning_sha256 ?? '')
      const byRule = entry.reasoning_sha256 === ruleReasoningSha256(entry)
      expect([entry.action, written || byRule]).toEqual([entry.action, true])
      // Whoever proposes says why in words of its own; whoever follows a rule names the rule.
      expect([entry.action, entry.actor.startsWith('agent/') ? written : Object.hasOwn(ACTION_RULES, entry.action)]).toEqual([
        entry.action,
        true,
      ])
    }
    expect(new Set(entries.filter(({ actor }) => actor.startsWith('agent/')).map(({ actor }) => actor)).size).toBeGreaterThanOrEqual(5)
  })

  it.each<[string, (chain: AuditEntry[]) => AuditEntry[], RegExp]>([
    ['an entry removed', (c) => c.toSpliced(5, 1), /entry 5 says it is number 6/],
    ['two entries swapped', (c) => c.with(5, c[6]!).with(6, c[5]!), /entry 5 says it is number 6/],
    ['an entry doubled', (c) => c.toSpliced(5, 0, c[5]!), /entry 6 says it is number 5/],
    ['a fork: another entry in its place', (c) => c.with(5, { ...rehashed(c)[5]!, actor: 'mallory' }), /entry 5 was changed/],
    [
      'a fork that holds by itself',
      (c) => [...c.slice(0, -1), rehashed(c.with(-1, { ...c.at(-1)!, actor: 'mallory' })).at(-1)!],
      /rewritten: entry/,
    ],
    ['its tail cut', (c) => c.slice(0, -3), /the chain was cut/],
    ['all of it rewritten with valid hashes', (c) => rehashed(c.with(3, { ...c[3]!, actor: 'mallory' })), /the chain was rewritten/],
    ['an entry removed and the rest rewritten', (c) => rehashed(c.toSpliced(5, 1)), /the chain was rewritten/],
    ['nothing left', () => [], /the audit chain is empty/],
    [
      'a reasoning that nobody gave',
      (c) => rehashed(c.with(3, { ...c[3]!, reasoning_sha256: 'a'.repeat(64) })),
      /entry 3 .* names a reasoning that is nowhere/,
    ],
    ['a reasoning missing', (c) => rehashed(c.with(3, { ...c[3]!, reasoning_sha256: null })), /entry 3 .* gives no reasoning/],
  ])('shows %s', (_what, forge, says) => {
    expect(review(forge([...entries])).faults.join('\n')).toMatch(says)
  })

  it('shows what concerns anchors and the record', () => {
    expect(review(entries, { stored: { ...stored, state: 'PLANNED' } }).faults).toEqual([
      'the project is stored as PLANNED, the chain leaves it in EVIDENCE_COMPLETE',
    ])
    expect(review(entries, { stored: { ...stored, revision: 99 } }).faults).toEqual([
      `the project is stored in revision 99, the chain leaves it in revision ${stored.revision}`,
    ])
    expect(review(entries, { anchors: [] }).faults).toEqual([
      expect.stringMatching(/^the change to EVIDENCE_COMPLETE .* was not anchored$/),
    ])
    const forged = {
      name: 'forged',
      bytes: Buffer.from(
        Buffer.from(anchors[0]!.bytes)
          .toString()
          .replace(/"sig":"../, '"sig":"MF'),
      ),
    }
    expect(review(entries, { anchors: [...anchors, forged] }).faults).toEqual([expect.stringMatching(/^the anchor forged does not hold/)])
    expect(review(entries, { projectId: 'other' }).faults[0]).toContain('not that of project other')
  })
})

describe('waybill audit', () => {
  it('shows the log on 80 columns, and all of it as JSON', async () => {
    const { code, out } = await waybill(['audit', 'show', id, '--home', on.home])
    expect(code).toBe(0)
    for (const line of out.split('\n')) expect(line.length).toBeLessThanOrEqual(80)
    for (const { action } of entries) expect(out).toContain(action.slice(0, 24))
    expect(out).toContain('PLAN_DRAFTED → PLANNED')
    const json = JSON.parse((await waybill(['audit', 'show', '--home', on.home, '--json'])).out)
    expect(json).toHaveLength(1)
    expect(json[0].entries).toHaveLength(entries.length)
    expect(json[0].entries.find(({ action }: AuditEntry) => action === 'PLAN_SIGNED').reasoning).toBe(ACTION_RULES.PLAN_SIGNED)
    expect((await waybill(['audit', 'show', id, '--home', on.home, '--details'])).out).toContain(`why: ${ACTION_RULES.PLAN_SIGNED}`)
  })

  it('says that it is intact', async () => {
    const { code, out } = await waybill(['audit', 'verify', '--home', on.home])
    expect([code, out]).toEqual([
      0,
      expect.stringMatching(new RegExp(`^intact {2}${id}: ${entries.length} entries, \\d+ anchors, in EVIDENCE_COMPLETE`)),
    ])
    expect(JSON.parse((await waybill(['audit', 'verify', id, '--home', on.home, '--json'])).out)).toMatchObject([
      { intact: true, faults: [] },
    ])
  })

  it('says that there is no such project', async () => {
    const { code, err } = await waybill(['audit', 'verify', 'nobody', '--home', on.home])
    expect([code, err]).toEqual([2, expect.stringContaining('no audit log of nobody')])
  })

  describe('in a home that somebody wrote to', () => {
    let other: TestPlatform
    let project: string
    let kept: string
    const sql = (text: string) => {
      const db = new DatabaseSync(join(other.home, 'waybill.sqlite'))
      db.exec('DROP TRIGGER audit_entries_kept; DROP TRIGGER audit_entries_fixed;')
      db.exec(text)
      db.close()
    }
    beforeEach(async () => {
      other = await testPlatform()
      project = await storeSpec(other)
      await tell(other, project, () => ({ decision: 'reject', reason: 'no' }))
      kept = await mkdtemp(join(tmpdir(), 'waybill-anchors-'))
      return async () => {
        await other.close()
        await rm(kept, { recursive: true, force: true })
      }
    }, 60_000)

    it('says which entry was changed, first', async () => {
      sql(`UPDATE audit_entries SET body = replace(body, 'PLAN_VALIDATED', 'PLAN_INVALIDATED')`)
      const { code, out } = await waybill(['audit', 'verify', project, '--home', other.home])
      expect([code, out]).toEqual([1, expect.stringMatching(/^BROKEN {2}p[^:]*: entry \d+ was changed: its digest does not recompute/)])
    })

    it('says that a row is no entry at all', async () => {
      sql(`UPDATE audit_entries SET body = '{}' WHERE seq = 2`)
      const { code, out } = await waybill(['audit', 'verify', project, '--home', other.home])
      expect([code, out]).toEqual([1, expect.stringMatching(/^BROKEN {2}p/)])
    })

    it('misses a tail cut off with its anchors only until an anchor kept elsewhere is shown', async () => {
      const chain = await other.ports.audit.read(project)
      const prefix = `projects/${project}/anchors/`
      const last = (await other.ports.artifacts.list(prefix)).at(-1)!
      const anchor = join(kept, 'anchor.dsse.json')
      await writeFile(anchor, await other.ports.artifacts.get((await other.ports.artifacts.find(last))!))
      // Everything behind the first anchor, its anchors too, and the project's record set back.
      sql(`DELETE FROM audit_entries WHERE seq > 0; DELETE FROM artifacts WHERE key LIKE '${prefix}%' AND key > '${prefix}00000000.z';
           UPDATE projects SET body = json_set(body, '$.state', 'CREATED')`)
      expect(chain.length).toBeGreaterThan(5)
      const alone = await waybill(['audit', 'verify', project, '--home', other.home])
      expect(alone.out).not.toContain('was cut')
      const shown = await waybill(['audit', 'verify', project, '--home', other.home, '--anchor', anchor])
      expect([shown.code, shown.out]).toEqual([1, expect.stringContaining('the chain was cut')])
      expect(await readdir(kept)).toEqual(['anchor.dsse.json'])
    })
  })
})
