import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createHandler as close } from '../../functions/close-reconciliation/handler.ts'
import { createHandler as merge } from '../../functions/merge-segments/handler.ts'
import { createHandler as open } from '../../functions/open-reconciliation/handler.ts'
import { createHandler as planSegments } from '../../functions/plan-segments/handler.ts'
import { createHandler as count } from '../../functions/record-parallel-run/handler.ts'
import { nightEvidence } from '../../functions/work/night-evidence.ts'
import { workKey } from '../../functions/work/working.ts'
import { WaybillError } from '../../layers/core/errors.ts'
import { cleanNights } from '../../layers/core/nights/count.ts'
import { nextNight } from '../../layers/core/nights/off-peak.ts'
import { shownNights } from '../../layers/core/nights/shown.ts'
import { trendOf } from '../../layers/core/nights/trend.ts'
import { checksFaults } from '../../layers/core/recorded-reports.ts'
import { projectRecord } from '../../layers/core/schemas/project.ts'
import { writeRecord } from './support/edited-record.ts'
import { type TestPlatform, testPlatform } from './support/platform.ts'
import { PEOPLE, storeSpec, tell, yes } from './support/story.ts'

const LONG = 120_000
const HOUR = 3_600_000
/** Whichever hour the test runs in, the window is open for two hours from then on. */
const around = (hours: number) => new Date(Date.now() + hours * HOUR).toISOString().slice(11, 16)

let on: TestPlatform
let id: string

/** A project whose parallel run was approved and needs more nights than there will be. */
async function parallel(options: Parameters<typeof testPlatform>[0] = {}): Promise<void> {
  on = await testPlatform({ policy: { clean_runs_required: 9 }, ...options })
  id = await storeSpec(on)
  on.failNext('record-parallel-run', new WaybillError('INTERRUPTED', 'that is all for now'), 2)
  await tell(on, id)
  // Where it stood before the failure: a night may be recorded from here.
  const project = await on.ports.projects.get(id)
  expect([project.state, project.failed_from]).toEqual(['FAILED', 'PR_CREATED'])
}
const takeUp = () => on.call('create-project', { project_id: id, run_id: 'taken-up' })

let runs = 0
/** Runs the reconcile machine as the schedule does. @returns what the night came to, as recorded */
async function night(scheduled: Date = on.ports.clock.now(), more: Record<string, unknown> = {}) {
  const name = `recon-${id}-${++runs}`
  const input = { project_id: id, run_id: name, purpose: 'night', scheduled: scheduled.toISOString(), ...more }
  await on.runner.start('reconcile', name, input)
  const { status } = await on.runner.wait(name)
  const { nights } = await trendOf(on.ports, await on.ports.projects.get(id))
  return { status, kept: nights.findLast((each) => each.run_id.startsWith(name)) }
}
const counted = async () => (await trendOf(on.ports, await on.ports.projects.get(id))).clean
const actions = async () => (await on.ports.audit.read(id)).map(({ action }) => action)
const opening = (holder: string, more: Record<string, unknown> = {}) =>
  open(on.ports)({
    project_id: id,
    run_id: holder,
    holder,
    purpose: 'night',
    scheduled: on.ports.clock.now().toISOString(),
    again: true,
    ...more,
  })

afterEach(() => on.close())

describe('nights', { timeout: LONG }, () => {
  beforeEach(() => parallel())

  it('count when clean and on another day; a mismatch takes all away; what is not decided changes nothing', async () => {
    await takeUp()
    expect(await counted()).toBe(1)
    on.later(24 * HOUR)
    const second = await night()
    expect([second.status, second.kept?.result, await counted()]).toEqual(['SUCCEEDED', 'clean', 2])
    expect(second.kept).toMatchObject({
      compared: { source_rows: '30', target_rows: '30', missing: '0', tables: 1 },
      tables: [],
      reason: '',
    })
    // The same night again is not compared again, unless somebody wants it; it counts once whatever happens.
    expect((await night()).kept).toMatchObject({
      result: 'skipped',
      reason: expect.stringMatching(/^Compared already: run /),
      compared: null,
    })
    expect((await night(undefined, { again: true })).kept?.result).toBe('clean')
    expect(await counted()).toBe(2)

    on.later(24 * HOUR)
    on.systems.findings.push('inconclusive')
    expect((await night()).kept).toMatchObject({ result: 'undecided' })
    expect(await counted()).toBe(2)

    on.later(24 * HOUR)
    on.systems.findings.push({ missing: 3 })
    const third = await night()
    expect(third.kept).toMatchObject({
      result: 'mismatch',
      compared: { missing: '3' },
      tables: [{ target_object: 'public.item', verdict: 'fail', missing: '3', clean: { source_rows: '30', target_rows: '30' } }],
      last_clean: { night: second.kept?.night },
    })
    expect(await counted()).toBe(0)
    expect(await count(on.ports)({ project_id: id, run_id: 'count' })).toMatchObject({ decision: 'DRIFT' })

    on.later(24 * HOUR)
    expect((await night()).kept?.result).toBe('clean')
    expect(await counted()).toBe(1)
    const more = (await count(on.ports)({ project_id: id, run_id: 'count' })) as { decision?: string; next_at?: string }
    expect([more.decision, (await on.ports.projects.get(id)).clean_runs]).toEqual(['MORE', 1])
    expect(Date.parse(more.next_at!)).toBeGreaterThan(on.ports.clock.now().getTime())
  })

  it('that could not be compared are undecided, and give their lease back', async () => {
    await takeUp()
    on.later(24 * HOUR)
    on.failNext('hash-segments', new WaybillError('CONNECTION_FAILED', 'the source went away'), 4)
    const { status, kept } = await night()
    expect([status, kept?.result, kept?.compared]).toEqual(['FAILED', 'undecided', null])
    expect(kept?.reason).toMatch(/CONNECTION_FAILED|UNEXPECTED/)
    expect(await counted()).toBe(1)
    expect((await night()).kept?.result).toBe('clean')
  })

  it('of a project that failed are skipped, and say so', async () => {
    const before = on.systems.opened.length
    expect((await night()).kept).toMatchObject({
      result: 'skipped',
      reason: `Not compared: the project is FAILED and has to be taken up first: waybill resume ${id}.`,
    })
    expect(on.systems.opened.length).toBe(before)
  })

  it('of a project in which nothing was copied yet are skipped without a mail, and a migration does not wait for one that ended', async () => {
    const early = await storeSpec(on)
    await on.call('create-project', { project_id: early, run_id: 'initial' })
    on.mails.length = 0
    const event = {
      project_id: early,
      run_id: 'recon-early',
      holder: 'recon-early',
      purpose: 'night',
      scheduled: on.ports.clock.now().toISOString(),
    }
    expect(await open(on.ports)(event)).toMatchObject({ decision: 'NOT_COMPARED' })
    const last = (await on.ports.audit.read(early)).at(-1)
    expect([last?.action, last?.details.reason]).toEqual([
      'NIGHT_SKIPPED',
      'Not compared: the project is CREATED, and nothing was copied yet.',
    ])
    expect(on.mails).toEqual([])
    await expect(opening('parallel', { purpose: 'parallel-run' })).rejects.toMatchObject({ code: 'ILLEGAL_TRANSITION' })
  })

  it('are told to author, data owner and QA lead once each, with counts and without a value, unless they are clean', async () => {
    await takeUp()
    on.mails.length = 0
    on.later(24 * HOUR)
    await night()
    expect(on.mails).toEqual([])
    on.later(24 * HOUR)
    on.systems.findings.push({ missing: 3 })
    await night()
    expect(on.mails.map(({ to }) => to).toSorted()).toEqual(['author@example.com', PEOPLE.data_owner, PEOPLE.qa_lead].toSorted())
    const [mail] = on.mails
    expect(mail?.subject).toMatch(/^Source and target differ: Items from the old shop to the new one \(night of \d{4}-\d{2}-\d{2}\)$/)
    for (const text of [mail?.text, mail?.html]) {
      expect(text).toContain('public.item')
      expect(text).toContain('3 missing in the target')
      expect(text).toContain('in the last clean night: 30 and 30')
    }
    // Closing once more, as a retry does, tells nobody twice.
    const chain = await on.ports.audit.read(id)
    const closed = chain.findLast(({ action }) => action === 'NIGHT_MISMATCHED')!
    const told = chain.filter(({ action }) => action === 'NIGHT_TOLD')
    await close(on.ports)({
      project_id: id,
      run_id: closed.details.run_id!,
      fence: closed.details.fence!,
      night: closed.details.night!,
      opened_at: told[0]!.details.opened_at!,
    })
    expect(on.mails).toHaveLength(3)
    expect((await actions()).filter((action) => action === 'NIGHT_MISMATCHED')).toHaveLength(1)
  })

  it('count for the parallel run from its approval on, under this plan, and only what the log vouches for is shown', async () => {
    await takeUp()
    on.later(24 * HOUR)
    await night()
    const { audit } = on.ports
    const before = (await audit.read(id)).length
    await count(on.ports)({ project_id: id, run_id: 'count' })
    const project = await on.ports.projects.get(id)
    expect(project.clean_runs).toBe(2)
    const clean = async (entries: (chain: Awaited<ReturnType<typeof audit.read>>) => typeof chain) => {
      const chain = entries(await audit.read(id))
      const plan = project.artifacts.migration_plan!.sha256
      return cleanNights(shownNights(chain, await nightEvidence(on.ports, id, chain), plan, on.ports.clock.now())).nights.size
    }
    const gate = 'PR_CREATED->PARALLEL_VALIDATED'
    expect(await clean((chain) => chain)).toBe(2)
    expect(await clean((chain) => chain.filter(({ details }) => details.transition !== gate))).toBe(0)
    const late = (chain: Awaited<ReturnType<typeof audit.read>>) =>
      chain.map((entry) => (entry.action === 'DECISION_TAKEN' && entry.details.transition === gate ? { ...entry, seq: before } : entry))
    expect(await clean(late)).toBe(0)
    expect(await clean((chain) => chain.map((entry) => ({ ...entry, details: { ...entry.details, plan_sha256: 'f'.repeat(64) } })))).toBe(0)
    const shown = (await trendOf(on.ports, await on.ports.projects.get(id))).nights
    const planted = Buffer.from(JSON.stringify({ ...shown[0], run_id: 'planted' }))
    await on.ports.artifacts.put(`projects/${id}/nights/2026-01-01-1.json`, planted, {
      contentType: 'application/json',
      retainUntil: new Date(),
    })
    expect((await trendOf(on.ports, await on.ports.projects.get(id))).nights).toEqual(shown)
  })

  it('and every other entry of theirs have a reasoning', async () => {
    await takeUp()
    on.later(24 * HOUR)
    await night()
    const own = (await on.ports.audit.read(id)).filter(({ action }) => /^(NIGHT_|RECONCILIATION_)/.test(action))
    expect(new Set(own.map(({ action }) => action))).toEqual(
      new Set(['RECONCILIATION_LEASED', 'RECONCILIATION_OPENED', 'RECONCILIATION_MERGED', 'NIGHT_CLEAN', 'RECONCILIATION_CLOSED']),
    )
    expect(own.filter(({ reasoning_sha256 }) => reasoning_sha256 === null)).toEqual([])
  })

  it('are closed with the digest of their checks, and with none once they have failed, whatever is stored by then', async () => {
    await takeUp()
    const closings = async () => (await on.ports.audit.read(id)).filter(({ action }) => action === 'RECONCILIATION_CLOSED')
    const { details } = (await closings()).at(-1)!
    const stored = await on.ports.artifacts.find(`projects/${id}/checks_report/${details.run_id}.json`)
    expect(details.checks_report_sha256).toBe(stored!.sha256)
    expect(checksFaults(await closings(), { run_id: details.run_id!, sha256: stored!.sha256 })).toEqual([])
    await on.call('close-reconciliation', { project_id: id, run_id: details.run_id, fence: details.fence, failed: true })
    expect((await closings()).at(-1)!.details).toEqual({ run_id: details.run_id, fence: details.fence })
    expect(checksFaults(await closings(), { run_id: details.run_id!, sha256: stored!.sha256 })).toHaveLength(1)
  })
})

describe('a lease', { timeout: LONG }, () => {
  beforeEach(async () => {
    await parallel()
    await takeUp()
  })

  it('held by another makes a night "already running", and a migration wait', async () => {
    const first = await opening('one')
    expect(first).toMatchObject({ decision: 'OPEN', lease: { fence: expect.stringMatching(/^\d+$/) } })
    expect(await opening('two')).toEqual({ project_id: id, run_id: 'two', decision: 'NOT_COMPARED' })
    const { nights } = await trendOf(on.ports, await on.ports.projects.get(id))
    expect(nights.at(-1)).toMatchObject({
      run_id: 'two',
      result: 'skipped',
      reason: expect.stringMatching(/^Already running: one holds the lease until /),
    })
    const waiting = await opening('three', { purpose: 'proof' })
    expect(waiting).toMatchObject({ decision: 'WAIT', until: expect.stringMatching(/Z$/) })
    // Asked again after a lost answer, the holder is told the same.
    expect(await opening('one')).toMatchObject({ decision: 'OPEN', lease: { fence: first.lease!.fence } })
  })

  it('of a dead run ends, and what the dead one records when it wakes is refused at every write', async () => {
    const dead = await opening('dead')
    const fence = dead.lease!.fence
    const mine = await planSegments(on.ports)({ project_id: id, run_id: 'dead', fence } as never)
    const task = { worker: 'hash-segments', project_id: id, run_id: mine.run_id, items: pointerOf(mine.items), ids: ['public_item'], fence }
    const item = (await on.ports.projects.get(id)).artifacts[`segments.${mine.run_id}`]
    expect(item?.sha256).toBe(mine.items.sha256)
    const ids = Buffer.from(await on.ports.artifacts.get(item!))
      .toString()
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { item_id: string }).item_id)
    on.systems.findings.push({ missing: 5 })
    await on.work({ ...task, ids } as never)
    expect(await on.ports.artifacts.find(workKey(id, mine.run_id, 'hash-segments', ids[0]!))).not.toBeNull()

    on.later(31 * 60_000)
    const alive = await opening('alive')
    expect(BigInt(alive.lease!.fence)).toBeGreaterThan(BigInt(fence))
    const before = await on.ports.projects.get(id)
    const chain = (await actions()).length
    const lost = { code: 'LEASE_LOST' }
    await expect(planSegments(on.ports)({ project_id: id, run_id: 'dead', fence } as never)).rejects.toMatchObject(lost)
    await expect(merge(on.ports)({ project_id: id, run_id: mine.run_id, fence } as never)).rejects.toMatchObject(lost)
    // Nor without saying which lease it was.
    await expect(merge(on.ports)({ project_id: id, run_id: mine.run_id } as never)).rejects.toMatchObject(lost)
    await expect(on.work({ ...task, ids } as never)).rejects.toMatchObject(lost)
    await expect(opening('dead')).resolves.toMatchObject({ decision: 'NOT_COMPARED' })
    const after = await on.ports.projects.get(id)
    expect(after.artifacts[`recon_report.${mine.run_id}`]).toBeUndefined()
    expect(after.artifacts.recon_report).toEqual(before.artifacts.recon_report)
    expect((await on.ports.artifacts.list(`projects/${id}/recon_report/`)).filter((key) => key.includes(mine.run_id))).toEqual([])
    expect((await actions()).slice(chain).filter((action) => action === 'RECONCILIATION_MERGED')).toEqual([])
    // Ending, it takes nothing from the other one.
    await close(on.ports)({ project_id: id, run_id: mine.run_id, fence, night: dead.lease!.night, failed: true, decision: 'LEASE_LOST' })
    expect((await actions()).at(-1)).toBe('RECONCILIATION_SUPERSEDED')
    expect(await opening('third')).toMatchObject({ decision: 'NOT_COMPARED' })
  })

  it('lost between the look and the write is refused by the write itself', async () => {
    const dead = await opening('dead')
    const fence = dead.lease!.fence
    const mine = await planSegments(on.ports)({ project_id: id, run_id: 'dead', fence } as never)
    const item = (await on.ports.projects.get(id)).artifacts[`segments.${mine.run_id}`]!
    const ids = [(JSON.parse(Buffer.from(await on.ports.artifacts.get(item)).toString()) as { item_id: string }).item_id]
    await on.work({ worker: 'hash-segments', project_id: id, run_id: mine.run_id, items: item, ids, fence } as never)
    // Another comes just as the report is stored: after every look, before the record is written.
    const { artifacts } = on.ports
    const late = {
      ...artifacts,
      put: async (...given: Parameters<typeof artifacts.put>) => {
        const stored = await artifacts.put(...given)
        if (given[0].includes('/recon_report/')) {
          on.later(31 * 60_000)
          expect((await opening('alive')).decision).toBe('OPEN')
        }
        return stored
      },
    }
    const sleeping = merge({ ...on.ports, artifacts: late })({ project_id: id, run_id: mine.run_id, fence } as never)
    await expect(sleeping).rejects.toMatchObject({ code: 'LEASE_LOST' })
    expect((await on.ports.projects.get(id)).artifacts[`recon_report.${mine.run_id}`]).toBeUndefined()
  })

  it('from a table that was set back to an earlier day opens nothing', async () => {
    const { leases } = on.ports
    const expires_at = new Date(on.ports.clock.now().getTime() + HOUR).toISOString()
    const take: typeof leases.take = async ({ project_id, holder }) => ({
      taken: true,
      lease: { project_id, holder, fence: '1', expires_at },
    })
    on.ports.leases = { ...leases, take }
    await expect(opening('restored')).rejects.toMatchObject({ code: 'LEASE_LOST' })
    expect(BigInt((await on.ports.projects.get(id)).recon_fence ?? '0')).toBeGreaterThan(1n)
  })

  it('of a project that never had one lets pass what names none, and nothing that names one', async () => {
    const { recon_fence: _, ...never } = await on.ports.projects.get(id)
    await writeRecord(on.ports, projectRecord.parse(never))
    await expect(planSegments(on.ports)({ project_id: id, run_id: 'x', fence: '1' } as never)).rejects.toMatchObject({ code: 'LEASE_LOST' })
    await expect(planSegments(on.ports)({ project_id: id, run_id: 'x' } as never)).resolves.toMatchObject({ project_id: id })
  })
})

describe('the off-peak window', { timeout: LONG }, () => {
  it('is looked at again inside the run: late comes to nothing, and that is recorded', async () => {
    await parallel({ nights: { time_zone: 'UTC', off_peak: { from: around(-1), to: around(1) } } })
    await takeUp()
    on.later(24 * HOUR)
    const scheduled = on.ports.clock.now()
    on.later(3 * HOUR)
    const before = on.systems.opened.length
    const { status, kept } = await night(scheduled)
    expect([status, kept?.result]).toEqual(['SUCCEEDED', 'skipped'])
    expect(kept?.reason).toMatch(/^Outside the window: .* is not between \d\d:\d\d and \d\d:\d\d \(UTC\) in the night of /)
    expect(on.systems.opened.length).toBe(before)
    expect(await counted()).toBe(1)
    // A day late it is inside a window again, but not of its own night.
    on.later(21 * HOUR)
    expect((await night(scheduled)).kept?.reason).toMatch(/^Outside the window/)
    expect((await night()).kept?.result).toBe('clean')
    expect(await counted()).toBe(2)
  })

  it('is waited for by a migration, whose next night is another window', async () => {
    const nights = { time_zone: 'UTC', off_peak: { from: around(3), to: around(5) } }
    on = await testPlatform({ policy: { clean_runs_required: 2 }, nights })
    id = await storeSpec(on)
    const began = on.ports.clock.now()
    const { project } = await tell(on, id, yes)
    expect([project?.state, project?.clean_runs]).toEqual(['EVIDENCE_COMPLETE', 2])
    const found = (await trendOf(on.ports, project!)).nights
    expect(found.map(({ result }) => result)).toEqual(['clean', 'clean'])
    expect(new Set(found.map((each) => each.night)).size).toBe(2)
    expect(Date.parse(found[0]!.opened_at)).toBeGreaterThan(began.getTime() + 2 * HOUR)
    const next = nextNight(new Date(found[0]!.opened_at), found[0]!.night, nights)
    expect(Date.parse(found[1]!.opened_at)).toBeGreaterThanOrEqual(next.getTime())
  })

  it('that the schedule used leaves nothing to do for the migration in that night', async () => {
    await parallel()
    await takeUp()
    on.later(24 * HOUR)
    await night()
    expect(await opening('parallel', { purpose: 'parallel-run', again: false, scheduled: undefined })).toEqual({
      project_id: id,
      run_id: 'parallel',
      decision: 'NOT_COMPARED',
    })
    expect(await count(on.ports)({ project_id: id, run_id: 'count' })).toMatchObject({ decision: 'MORE' })
    expect((await on.ports.projects.get(id)).clean_runs).toBe(2)
  })
})

const pointerOf = ({ uri, version_id, sha256 }: { uri: string; version_id: string; sha256: string }) => ({ uri, version_id, sha256 })
