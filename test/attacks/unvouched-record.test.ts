import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { nextEntry } from '../../layers/core/audit-chain.ts'
import { reviewAudit } from '../../layers/core/audit-review.ts'
import { canonicalBytes } from '../../layers/core/canonical-json.ts'
import { WaybillError } from '../../layers/core/errors.ts'
import { advance } from '../../layers/core/project-service.ts'
import type { AuditEntry } from '../../layers/core/schemas/governance.ts'
import type { LifecycleState, ProjectRecord } from '../../layers/core/schemas/project.ts'
import { type Asked, askedFor } from '../functions/support/asked.ts'
import { chain } from '../functions/support/decisions.ts'
import { editRecord, writeRecord } from '../functions/support/edited-record.ts'
import { type TestPlatform, testPlatform } from '../functions/support/platform.ts'
import { PEOPLE, storeSpec, tell } from '../functions/support/story.ts'

const LONG = 90_000
const KEEP = { contentType: 'application/json', retainUntil: new Date(Date.now() + 86_400_000) }

/** Whoever may write the project's row, as most functions do, and append to its log. */
describe('a project record that nothing vouches for', { timeout: LONG }, () => {
  let asked: Asked
  let honest: ProjectRecord
  let run: string
  beforeAll(async () => {
    asked = await askedFor((mail) => mail.to === PEOPLE.qa_lead)
    honest = await asked.on.ports.projects.get(asked.projectId)
    run = (await chain(asked, 'RECONCILIATION_MERGED'))[0]!.details.run_id!
  }, LONG)
  afterAll(() => asked.close())

  const edit = (state: LifecycleState, revision = honest.revision) => editRecord(asked.on.home, { ...honest, state, revision })

  /** Each function that signs, proves, counts, seals or hands out, and the state that it acts in. */
  const ACTING: readonly (readonly [name: string, state: LifecycleState])[] = [
    ['sign-plan', 'PLAN_DRAFTED'],
    ['record-execution', 'PLANNED'],
    ['merge-segments', 'EXECUTED'],
    ['prove-outcome', 'EXECUTED'],
    ['create-pull-request', 'RECONCILED'],
    ['close-reconciliation', 'PARALLEL_VALIDATED'],
    ['record-parallel-run', 'PARALLEL_VALIDATED'],
    ['seal-evidence', 'CUTOVER_DONE'],
  ]

  async function refuses(name: string, says: RegExp): Promise<void> {
    const { artifacts } = asked.on.ports
    const prefix = `projects/${asked.projectId}/`
    const [stored, mails, touched] = [await artifacts.list(prefix), asked.on.mails.length, [...asked.on.systems.touched]]
    const refusals = (await chain(asked, 'RECORD_NOT_VOUCHED')).length
    const night = { fence: honest.recon_fence, night: '2026-01-01', opened_at: '2026-01-01T00:00:00.000Z' }
    const event = { project_id: asked.projectId, run_id: run, recon_run_id: run, ...night }
    await expect(asked.on.call(name, event)).rejects.toMatchObject({
      code: 'PLAN_NOT_AUTHORISED',
      message: expect.stringMatching(/^nothing was done, because /),
      details: expect.arrayContaining([expect.stringMatching(says)]),
    })
    expect([await artifacts.list(prefix), asked.on.mails.length, asked.on.systems.touched]).toEqual([stored, mails, touched])
    const entered = await chain(asked, 'RECORD_NOT_VOUCHED')
    expect(entered.slice(refusals)).toMatchObject([{ actor: `waybill/${name}`, details: { why: expect.stringMatching(says) } }])
  }

  it.each(ACTING)('makes %s do nothing, and the log says why', async (name, state) => {
    edit(state)
    try {
      await refuses(name, new RegExp(`says it is ${state}, its audit chain says PR_CREATED`))
    } finally {
      edit('PR_CREATED')
    }
  })

  it.each<[what: string, change: Partial<ProjectRecord>]>([
    ['its author', { author: 'somebody.else@example.com' }],
    ['the nights that were counted', { clean_runs: 9 }],
    ['what it names', { artifacts: {} }],
  ])('that was edited in %s is not carried into the next revision, and the log verified names it', async (_what, change) => {
    const { audit, projects } = asked.on.ports
    editRecord(asked.on.home, { ...honest, ...change })
    try {
      const before = await audit.read(asked.projectId)
      const next = advance(asked.on.ports, asked.projectId, { actor: 'waybill/test', action: 'PROJECT_CHANGED', set: { plan_version: 7 } })
      await expect(next).rejects.toMatchObject({
        code: 'EVIDENCE_INVALID',
        message: expect.stringMatching(/is not what audit entry \d+ tells of it/),
      })
      expect(await audit.read(asked.projectId)).toEqual(before)
      const stored = await projects.get(asked.projectId)
      const { faults } = reviewAudit({
        projectId: asked.projectId,
        entries: before,
        anchors: [],
        trust: asked.on.ports.trust,
        reasonings: null,
        stored,
      })
      expect(faults).toContainEqual(expect.stringMatching(/is not what audit entry \d+ tells of it/))
    } finally {
      editRecord(asked.on.home, honest)
    }
  })

  it('seals nothing by a move that was appended beside it, which no anchor lies over', async () => {
    const { audit, clock } = asked.on.ports
    const revision = honest.revision + 1
    edit('ROLLED_BACK', revision)
    // Under the name of the very function that is called: it finishes only what it would have done from where the project stood.
    for (const actor of ['waybill', 'waybill/record-rollback']) {
      const fields = { project_id: asked.projectId, at: clock.now().toISOString(), actor, action: 'TARGET_ROLLED_BACK' }
      const details = { from: 'PR_CREATED', to: 'ROLLED_BACK', revision: String(revision) }
      await audit.append(nextEntry(await audit.head(asked.projectId), { ...fields, details }))
    }
    await refuses('seal-evidence', /the change to ROLLED_BACK .* was not anchored/)
  })
})

describe('a change of state whose process died', { timeout: LONG }, () => {
  let on: TestPlatform
  afterEach(() => on.close())
  const died = () => new WaybillError('CONNECTION_FAILED', 'killed')

  it('ahead of its write is made by the same function’s next attempt', async () => {
    on = await testPlatform()
    const { projects } = on.ports
    const seen = new Set<string>()
    const update = async (next: ProjectRecord, entry: AuditEntry) => {
      const { state } = await projects.get(next.project_id)
      if (next.state === state || seen.has(next.state)) return projects.update(next, entry)
      seen.add(next.state)
      throw died()
    }
    on.ports.projects = { ...projects, update }
    const { project } = await tell(on, await storeSpec(on))
    expect([project?.failure ?? null, project?.state]).toEqual([null, 'EVIDENCE_COMPLETE'])
    expect(seen.size).toBeGreaterThan(8)
  })

  it('before its anchor is anchored by the same function’s next attempt', async () => {
    on = await testPlatform()
    const { anchors, projects } = on.ports
    const seen = new Set<string>()
    const anchor = async (projectId: string) => {
      const { state } = await projects.get(projectId)
      if (seen.has(state)) return anchors.anchor(projectId)
      seen.add(state)
      throw died()
    }
    on.ports.anchors = { anchor }
    const id = await storeSpec(on)
    const { project } = await tell(on, id)
    expect([project?.failure ?? null, project?.state]).toEqual([null, 'EVIDENCE_COMPLETE'])
    expect(seen.size).toBeGreaterThan(8)
    const log = await on.ports.audit.read(id)
    const sealed = log.findLast(({ action }) => action === 'EVIDENCE_SEALED')!
    const newest = (await on.ports.artifacts.list(`projects/${id}/anchors/`)).at(-1)!
    expect(Number(/(\d+)\.dsse\.json$/.exec(newest)![1])).toBeGreaterThanOrEqual(sealed.seq)
  })
})

describe('the evidence pack', { timeout: LONG }, () => {
  let on: TestPlatform
  afterEach(() => on.close())

  /** Has somebody change the record's artifacts once the cutover is recorded, before anything is sealed. */
  async function exchangedBeforeSealing(change: (id: string) => Promise<ProjectRecord['artifacts']>) {
    on = await testPlatform()
    const id = await storeSpec(on)
    const { projects } = on.ports
    const update = async (next: ProjectRecord, entry: AuditEntry) => {
      const outcome = await projects.update(next, entry)
      if (next.state !== 'CUTOVER_DONE') return outcome
      on.ports.projects = projects
      await writeRecord(on.ports, { ...next, artifacts: { ...next.artifacts, ...(await change(id)) } })
      return outcome
    }
    on.ports.projects = { ...projects, update }
    const { status, project } = await tell(on, id)
    return { id, status, project, log: await on.ports.audit.read(id) }
  }
  const put = (id: string, name: string, value: unknown) =>
    on.ports.artifacts.put(`projects/${id}/explanation/${name}.json`, canonicalBytes(value), KEEP)

  it('that the verifier refuses is not sealed, and the migration is not called complete', async () => {
    const { id, status, project, log } = await exchangedBeforeSealing(async (own) => ({
      findings: await put(own, 'findings', { schema: 'waybill/findings/v1', findings: [] }),
    }))
    expect([status, project?.state, project?.failed_from]).toEqual(['FAILED', 'FAILED', 'CUTOVER_DONE'])
    expect(await on.ports.artifacts.list(`projects/${id}/evidence_pack/`)).toEqual([])
    expect(log.filter(({ action }) => action === 'EVIDENCE_SEALED')).toEqual([])
    expect(log.findLast(({ action }) => action === 'RUN_FAILED')?.details).toMatchObject({
      code: 'EVIDENCE_INVALID',
      reason: expect.stringMatching(/^Nothing was sealed, because the pack would not be verified: plan\/findings\.json: /),
    })
  })

  it('is sealed although the record names a manifest already, and holds the execution that was recorded', async () => {
    const { id, project, log } = await exchangedBeforeSealing(async (own) => ({
      evidence_manifest: await put(own, 'manifest', { schema: 'waybill/sha256-manifest/v1', files: [] }),
      execution_report: await put(own, 'execution', { retries: '41' }),
    }))
    expect(project?.state).toBe('EVIDENCE_COMPLETE')
    const manifest = await on.ports.artifacts.find(`projects/${id}/evidence_pack/sha256_manifest.json`)
    expect(log.findLast(({ action }) => action === 'EVIDENCE_SEALED')?.subject_sha256).toBe(manifest?.sha256)
    const packed = await on.ports.artifacts.find(`projects/${id}/evidence_pack/recon/execution_report.json`)
    expect(packed?.sha256).toBe(log.find(({ action }) => action === 'PLAN_EXECUTED')?.subject_sha256)
  })
})
