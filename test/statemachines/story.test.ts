import { afterAll, describe, expect, it } from 'vitest'
import { WaybillError } from '../../layers/core/errors.ts'
import type { Mail } from '../../layers/core/ports.ts'
import { memoryReader, verifyPack } from '../../layers/core/verifier/index.ts'
import { definitionOf, type TestPlatform, testPlatform } from '../functions/support/platform.ts'
import { type Answer, edgesTaken, PEOPLE, storeSpec, tell, yes } from '../functions/support/story.ts'

/**
 * The real interpreter runs the real state machines and handlers through everything that can happen to a migration. The last test compares the
 * transitions that were taken with those that are written down: none may be left out.
 */
const taken = new Set<string>()
const open: TestPlatform[] = []
const LONG = 300_000

async function platform(options: Parameters<typeof testPlatform>[0] = {}): Promise<TestPlatform> {
  const on = await testPlatform(options)
  open.push(on)
  return on
}

/** Adds the transitions of a platform to what the last test compares. */
async function done(on: TestPlatform): Promise<void> {
  for (const edge of edgesTaken(on)) taken.add(edge)
  open.splice(open.indexOf(on), 1)
  await on.close()
}

afterAll(async () => {
  for (const on of open) await on.close()
})

async function verified(on: TestPlatform, projectId: string): Promise<string[]> {
  const prefix = `projects/${projectId}/evidence_pack/`
  const files = await Promise.all(
    (await on.ports.artifacts.list(prefix)).map(async (key) => ({
      path: key.slice(prefix.length),
      bytes: await on.ports.artifacts.get((await on.ports.artifacts.find(key))!),
    })),
  )
  expect(files.length).toBeGreaterThan(20)
  return (await verifyPack(memoryReader(files))).faults
}

/** Everybody says yes, save the person named. */
const allBut =
  (email: string, given: Answer) =>
  (mail: Mail): Answer =>
    mail.to === email ? given : yes(mail)

describe('a migration that goes well', () => {
  it('ends with evidence that verifies, and is not done twice', { timeout: LONG }, async () => {
    const on = await platform()
    const id = await storeSpec(on)
    const { status, project } = await tell(on, id)
    expect([status, project?.state, project?.plan_version, project?.clean_runs]).toEqual(['SUCCEEDED', 'EVIDENCE_COMPLETE', 1, 1])
    expect(await verified(on, id)).toEqual([])
    expect(on.systems.touched).toEqual(['prepare', expect.stringMatching(/c000001$/), expect.stringMatching(/c000002$/), 'finish'])
    const before = (await on.ports.audit.read(id)).length
    expect((await tell(on, id)).status).toBe('SUCCEEDED')
    expect((await on.ports.audit.read(id)).length).toBe(before)
    // The nightly schedule starts the other machine by itself.
    await on.runner.start('reconcile', 'nightly', { project_id: id, run_id: 'recon-2026-03-02' })
    expect(await on.runner.wait('nightly')).toMatchObject({
      status: 'SUCCEEDED',
      output: { run_id: 'recon-2026-03-02-r3', decision: 'pass' },
    })
    await done(on)
  })

  it('records who proposed what and why, and anchors every change of state', { timeout: LONG }, async () => {
    const on = await platform()
    const id = await storeSpec(on, { ask: true })
    await tell(on, id)
    const chain = await on.ports.audit.read(id)
    const agents = chain.filter((entry) => entry.actor.startsWith('agent/'))
    expect(new Set(agents.map((entry) => entry.actor))).toEqual(
      new Set(['discovery', 'profiling', 'mapping', 'rewrite', 'recon', 'cutover'].map((name) => `agent/${name}`)),
    )
    for (const entry of agents) expect([entry.subject_sha256, entry.reasoning_sha256]).toEqual([expect.any(String), expect.any(String)])
    const answered = chain.find((entry) => entry.action === 'DECISIONS_ANSWERED')
    expect(answered?.actor).toBe(PEOPLE.tech_lead)
    const changes = chain
      .filter((entry) => entry.details.to && entry.details.to !== entry.details.from)
      .map((entry) => String(entry.seq).padStart(8, '0'))
    const anchors = (await on.ports.artifacts.list(`projects/${id}/anchors/`)).map((key) =>
      key.slice(-'00000000.dsse.json'.length).slice(0, 8),
    )
    // Entries between the change and its anchor are covered by it; each change has an anchor of its own or a later one before the next.
    expect(anchors.length).toBeGreaterThanOrEqual(changes.length)
    expect(anchors.at(-1)! >= changes.at(-1)!).toBe(true)
    expect(await verified(on, id)).toEqual([])
    await done(on)
  })
})

describe('a migration in which everything fails once', () => {
  it('is recorded each time, goes on from where it stood, and ends with evidence', { timeout: LONG }, async () => {
    const on = await platform({ policy: { clean_runs_required: 2 } })
    const id = await storeSpec(on, { ask: true })
    // Calls that exhaust the retries of a function, of a worker, and of something inside the nested machine, which is itself retried.
    const [FUNCTION, WORKER] = [2, 4]
    const failures: [name: string, times: number, state: string][] = [
      ['create-project', FUNCTION, 'none'],
      ['discover', FUNCTION, 'CREATED'],
      ['profile', FUNCTION, 'CREATED'],
      ['propose-mapping', FUNCTION, 'DISCOVERED'],
      ['request-decisions', FUNCTION, 'DISCOVERED'],
      ['propose-rewrite', FUNCTION, 'DISCOVERED'],
      ['propose-recon', FUNCTION, 'DISCOVERED'],
      ['compile-plan', FUNCTION, 'DISCOVERED'],
      ['validate-plan', FUNCTION, 'PLAN_DRAFTED'],
      ['request-approval', FUNCTION, 'PLAN_DRAFTED'],
      ['sign-plan', FUNCTION, 'PLAN_DRAFTED'],
      ['request-approval', FUNCTION, 'PLANNED'],
      ['plan-chunks', FUNCTION, 'PLANNED'],
      ['prepare-target', WORKER, 'PLANNED'],
      ['copy-chunk', WORKER, 'PLANNED'],
      ['finish-target', WORKER, 'PLANNED'],
      ['record-execution', FUNCTION, 'PLANNED'],
      ['open-reconciliation', 2 * FUNCTION, 'EXECUTED'],
      ['plan-segments', 2 * FUNCTION, 'EXECUTED'],
      ['hash-segments', 2 * WORKER, 'EXECUTED'],
      ['merge-segments', 2 * FUNCTION, 'EXECUTED'],
      ['run-checks', 2 * WORKER, 'EXECUTED'],
      // Also when it closes what failed: then the lease is not given back, and the next run waits for its end.
      ['close-reconciliation', 4 * FUNCTION, 'EXECUTED'],
      ['prove-outcome', FUNCTION, 'EXECUTED'],
      ['create-pull-request', FUNCTION, 'RECONCILED'],
      ['request-approval', FUNCTION, 'PR_CREATED'],
      ['plan-segments', 2 * FUNCTION, 'PR_CREATED'],
      ['record-parallel-run', FUNCTION, 'PR_CREATED'],
      ['request-approval', FUNCTION, 'PARALLEL_VALIDATED'],
      ['prepare-cutover', FUNCTION, 'PARALLEL_VALIDATED'],
      ['request-approval', FUNCTION, 'CUTOVER_READY'],
      ['cutover', FUNCTION, 'CUTOVER_READY'],
      ['seal-evidence', FUNCTION, 'CUTOVER_DONE'],
    ]
    for (const [name, times, from] of failures) {
      // A gate is known by its transition: earlier gates were passed, ask nobody again, and must not be hit.
      const gate = (event: unknown) => name !== 'request-approval' || (event as { transition: string }).transition.startsWith(`${from}->`)
      on.failNext(name, new WaybillError('NOT_REPRESENTABLE', `no ${name}`), times, gate)
      const { status, project } = await tell(on, id)
      expect([name, status]).toEqual([name, 'FAILED'])
      if (from === 'none') expect(project).toBeNull()
      else expect([name, project?.state, project?.failed_from, project?.failure?.code]).toEqual([name, 'FAILED', from, 'NOT_REPRESENTABLE'])
    }
    const { status, project } = await tell(on, id)
    expect([status, project?.state]).toEqual(['SUCCEEDED', 'EVIDENCE_COMPLETE'])
    expect(await verified(on, id)).toEqual([])
    // Whatever failed and however often it was started: each chunk was copied once.
    const plan = project!.artifacts.migration_plan!.sha256
    expect(on.systems.rows(plan)).toBe(30n)
    await done(on)
  })

  it('waits for another parallel run where the policy wants two', { timeout: LONG }, async () => {
    const on = await platform({ policy: { clean_runs_required: 2 } })
    const id = await storeSpec(on)
    const { project } = await tell(on, id)
    expect([project?.state, project?.clean_runs]).toEqual(['EVIDENCE_COMPLETE', 2])
    expect(await verified(on, id)).toEqual([])
    await done(on)
  })
})

describe('people who say no', () => {
  const gates = [
    ['tech_lead', 'PLAN_DRAFTED', 0n],
    ['security', 'PLANNED', 0n],
    ['qa_lead', 'PR_CREATED', 30n],
    ['business_owner', 'PARALLEL_VALIDATED', 30n],
    ['release_manager', 'CUTOVER_READY', 30n],
  ] as const
  for (const [role, state, rows] of gates) {
    it(`${role} ends the project in ${state}`, { timeout: LONG }, async () => {
      const on = await platform()
      const id = await storeSpec(on)
      const { status, project } = await tell(on, id, allBut(PEOPLE[role], { decision: 'reject', reason: 'Not this week.' }))
      expect([status, project?.state]).toEqual(['SUCCEEDED', 'REJECTED'])
      const last = (await on.ports.audit.read(id)).at(-1)!
      expect([last.action, last.actor, last.details.role, last.details.reason, last.details.from]).toEqual([
        'PROJECT_REJECTED',
        PEOPLE[role],
        role,
        'Not this week.',
        state,
      ])
      if (project?.artifacts.migration_plan) expect(on.systems.rows(project.artifacts.migration_plan.sha256)).toBe(rows)
      expect(on.systems.touched).not.toContain('rollBack')
      await done(on)
    })
  }

  it('refuses to answer the open questions', { timeout: LONG }, async () => {
    const on = await platform()
    const id = await storeSpec(on, { ask: true })
    // Recording it fails at first, too.
    on.failNext('record-rejection', new TypeError('gone'), 2)
    const first = await tell(on, id, () => ({ decision: 'reject', reason: 'Ask finance first.' }))
    expect([first.status, first.project?.state, first.project?.failure?.code]).toEqual(['FAILED', 'FAILED', 'UNEXPECTED'])
    const second = await tell(on, id, () => ({ decision: 'reject', reason: 'Ask finance first.' }))
    expect([second.status, second.project?.state]).toEqual(['SUCCEEDED', 'REJECTED'])
    expect(on.systems.touched).toEqual([])
    await done(on)
  })

  it('says nothing at all, and the run ends as failed', { timeout: LONG }, async () => {
    const on = await platform({
      patch: (_machine, definition) => {
        const asking = definition.States.RequestApprovalForPlan
        if (asking) asking.TimeoutSeconds = 1
      },
    })
    const id = await storeSpec(on)
    const { status, project } = await tell(on, id, () => null)
    expect([status, project?.state, project?.failure?.code]).toEqual(['FAILED', 'FAILED', 'States.Timeout'])
    await done(on)
  })
})

describe('a copy that is not equal', () => {
  it('is explained, rolled back and sealed, whatever fails on the way', { timeout: LONG }, async () => {
    const on = await platform()
    const id = await storeSpec(on)
    const steps: [name: string, times: number, state: string][] = [
      ['explain-differences', 4, 'EXECUTED'],
      ['roll-back-target', 4, 'RECONCILED'],
      ['record-rollback', 2, 'RECONCILED'],
    ]
    for (const [name, times, from] of steps) {
      on.systems.findings.push(...Array.from({ length: 2 }, () => ({ missing: 7 })))
      on.failNext(name, new TypeError('broken'), times)
      const { status, project } = await tell(on, id)
      expect([name, status, project?.state, project?.failed_from]).toEqual([name, 'FAILED', 'FAILED', from])
      on.systems.findings.length = 0
    }
    on.systems.findings.push({ missing: 7 })
    on.failNext('seal-evidence', new TypeError('broken'), 2)
    const rolledBack = await tell(on, id)
    expect([rolledBack.status, rolledBack.project?.state]).toEqual(['FAILED', 'ROLLED_BACK'])
    const sealed = await tell(on, id)
    expect([sealed.status, sealed.project?.state]).toEqual(['SUCCEEDED', 'ROLLED_BACK'])
    expect(on.systems.rows(sealed.project!.artifacts.migration_plan!.sha256)).toBe(0n)
    expect(await verified(on, id)).toEqual([])
    await done(on)
  })

  it('waits for people where the plan allows no automatic rollback', { timeout: LONG }, async () => {
    const on = await platform()
    const id = await storeSpec(on, { autoRollback: false })
    on.systems.findings.push({ missing: 7 })
    const { status, project } = await tell(on, id)
    expect([status, project?.state, project?.failed_from, project?.failure?.code]).toEqual(['FAILED', 'FAILED', 'RECONCILED', 'HOLD'])
    expect(on.systems.touched).not.toContain('rollBack')
    await done(on)
  })

  it('or not comparable, is neither passed nor rolled back', { timeout: LONG }, async () => {
    const on = await platform()
    const id = await storeSpec(on)
    on.systems.findings.push('inconclusive')
    const { project } = await tell(on, id)
    expect([project?.state, project?.failure?.code]).toEqual(['FAILED', 'HOLD'])
    expect(on.systems.touched).not.toContain('rollBack')
    // Compared again, and equal this time, it goes on.
    expect((await tell(on, id)).project?.state).toBe('EVIDENCE_COMPLETE')
    await done(on)
  })

  it('drifts apart in the parallel run', { timeout: LONG }, async () => {
    const on = await platform()
    const id = await storeSpec(on)
    let mailsToQa = 0
    const { status, project } = await tell(on, id, (mail) => {
      if (mail.to === PEOPLE.qa_lead) {
        mailsToQa += 1
        on.systems.findings.push({ missing: 1 })
      }
      return yes(mail)
    })
    expect([status, project?.state, project?.failed_from, project?.failure?.code]).toEqual(['FAILED', 'FAILED', 'PR_CREATED', 'DRIFT'])
    // Started again it asks nobody twice: the proof they approved is still the project's.
    const again = await tell(on, id)
    expect([again.project?.state, mailsToQa]).toEqual(['EVIDENCE_COMPLETE', 1])
    expect(await verified(on, id)).toEqual([])
    await done(on)
  })
})

it('a plan that fails its validation is shown to nobody', { timeout: LONG }, async () => {
  const on = await platform()
  const id = await storeSpec(on, { approvers: { qa_lead: null } })
  const { status, project } = await tell(on, id)
  expect([status, project?.state, project?.failure?.code]).toEqual(['FAILED', 'FAILED', 'FAIL'])
  expect(on.mails).toEqual([])
  await done(on)
})

it('every transition of both state machines was taken above', () => {
  const written = ['migration', 'reconcile'].flatMap((machine) =>
    Object.entries(definitionOf(machine).States).flatMap(([name, state]) => {
      const nexts = [
        state.Next,
        state.Default,
        ...((state.Choices as { Next: string }[] | undefined) ?? []).map((each) => each.Next),
        ...((state.Catch as { Next: string }[] | undefined) ?? []).map((each) => each.Next),
      ]
      return nexts.filter((next) => next !== undefined).map((next) => `${machine}/${name}>${next}`)
    }),
  )
  expect(written.length).toBeGreaterThan(100)
  expect(written.filter((edge) => !taken.has(edge))).toEqual([])
})
