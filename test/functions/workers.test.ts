import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { canonicalBytes } from '../../layers/core/canonical-json.ts'
import { isWaybillError } from '../../layers/core/errors.ts'
import { keyOf, placeOf } from '../../layers/core/flow/storing.ts'
import type { Worker } from '../../layers/core/names.ts'
import { advance } from '../../layers/core/project-service.ts'
import type { ArtifactPointer } from '../../layers/core/schemas/common.ts'
import { type AuditEntry, planPredicate } from '../../layers/core/schemas/governance.ts'
import { plan as planSchema } from '../../layers/core/schemas/plan.ts'
import type { LifecycleState, ProjectRecord } from '../../layers/core/schemas/project.ts'
import type { WorkerTask } from '../../layers/core/schemas/work.ts'
import { openPredicate, PREDICATES, signStatement, statementOf } from '../../layers/core/statement.ts'
import { editRecord } from './support/edited-record.ts'
import { type TestPlatform, testPlatform } from './support/platform.ts'
import { storeSpec, tell } from './support/story.ts'

const HOUR = 3_600_000
const LATER = new Date('2030-01-01T00:00:00.000Z')

/** A migration that stands right before one worker, with everything approved; `undo` puts back what a test changed. */
type Before = {
  on: TestPlatform
  project: ProjectRecord
  task: WorkerTask
  put(change: Partial<ProjectRecord>): Promise<void>
  undo(): Promise<void>
}

async function before(worker: Worker): Promise<Before> {
  const on = await testPlatform()
  const id = await storeSpec(on)
  if (worker === 'roll-back-target') on.systems.findings.push({ missing: 3 })
  // The worker never starts: its state fails, and the project stands before it.
  on.failNext(worker, new Error('not yet'), 8)
  const { project: failed } = await tell(on, id)
  const state = failed!.failed_from as LifecycleState
  const put = async (change: Partial<ProjectRecord>) => {
    const stored = await on.ports.projects.get(id)
    editRecord(on.home, { ...stored, ...change })
  }
  await advance(on.ports, id, { to: state, actor: 'test', action: 'STANDS_AGAIN' })
  const project = await on.ports.projects.get(id)
  on.systems.touched.length = 0
  on.systems.opened.length = 0
  const { policy, artifacts } = on.ports
  return {
    on,
    project,
    task: taskFor(worker, project),
    put,
    undo: async () => {
      on.ports.policy = policy
      on.ports.artifacts = artifacts
      await put({ artifacts: project.artifacts, state: project.state })
    },
  }
}

function taskFor(worker: Worker, project: ProjectRecord): WorkerTask {
  const segments = Object.keys(project.artifacts)
    .filter((name) => name.startsWith('segments.'))
    .at(-1)
  const base = { worker, project_id: project.project_id, run_id: 'run-test', items: null, ids: [] }
  if (worker === 'copy-chunk') return { ...base, items: project.artifacts.chunks!, ids: ['item-c000001', 'item-c000002'] }
  if (worker === 'hash-segments')
    return { ...base, run_id: segments!.slice('segments.'.length), items: project.artifacts[segments!]!, ids: ['item'] }
  return base
}

async function store(on: TestPlatform, project: ProjectRecord, name: string, bytes: Uint8Array): Promise<ArtifactPointer> {
  return on.ports.artifacts.put(keyOf(project.project_id, 'forged', `${name}-${Math.random().toString(36).slice(2)}`), bytes, {
    contentType: 'application/json',
    retainUntil: LATER,
  })
}

async function alteredPlan({ on, project }: Before): Promise<ArtifactPointer> {
  const plan = planSchema.parse(JSON.parse(Buffer.from(await on.ports.artifacts.get(project.artifacts.migration_plan!)).toString('utf8')))
  plan.tables[0]!.target.name = 'elsewhere'
  return store(on, project, 'plan', canonicalBytes(plan))
}

/** A worker's refusal: its code, and that neither system was so much as connected to. */
async function refusal({ on, task }: Before, change: Partial<WorkerTask> = {}): Promise<string> {
  const error = await on.work({ ...task, ...change }).then(
    () => null,
    (thrown: unknown) => thrown,
  )
  expect(on.systems.touched).toEqual([])
  expect(on.systems.opened).toEqual([])
  if (error === null) return 'it worked'
  return isWaybillError(error) ? error.code : String(error)
}

type Tamper = { what: string; writersOnly?: true; tamper(b: Before): Promise<Partial<WorkerTask> | undefined> }
const TAMPERS: Tamper[] = [
  {
    what: 'an unsigned plan',
    async tamper({ put, project }) {
      const { signed_plan: _, ...rest } = project.artifacts
      await put({ artifacts: rest })
      return undefined
    },
  },
  {
    what: 'a plan signed with a key for something else',
    async tamper({ on, put, project }) {
      const envelope = await on.ports.artifacts.get(project.artifacts.signed_plan!)
      const { statement, predicate } = openPredicate(envelope, on.ports.trust, 'plan', planPredicate)
      const subject = statement.subject.map(({ name, digest }) => ({ name, sha256: digest.sha256 }))
      const forged = await signStatement(on.ports.signers.approval, statementOf({ predicateType: PREDICATES.plan, subject, predicate }))
      await put({ artifacts: { ...project.artifacts, signed_plan: await store(on, project, 'signed', forged.bytes) } })
      return undefined
    },
  },
  {
    what: 'an altered plan',
    async tamper(b) {
      await b.put({ artifacts: { ...b.project.artifacts, migration_plan: await alteredPlan(b) } })
      return undefined
    },
  },
  {
    what: 'a plan whose stored bytes were exchanged',
    async tamper({ on, project }) {
      const { artifacts } = on.ports
      const refused = placeOf(project.artifacts.migration_plan!).key
      on.ports.artifacts = {
        ...artifacts,
        get: async (pointer) => (pointer.uri.endsWith(refused) ? Buffer.from('{}') : artifacts.get(pointer)),
      }
      return undefined
    },
  },
  {
    what: 'an unapproved plan',
    async tamper({ on, project }) {
      const { artifacts } = on.ports
      const statements = `projects/${project.project_id}/approvals/`
      on.ports.artifacts = {
        ...artifacts,
        list: async (prefix) => (prefix === statements ? (await artifacts.list(prefix)).slice(1) : artifacts.list(prefix)),
      }
      return undefined
    },
  },
  {
    what: 'a plan somebody rejected',
    async tamper({ on, project }) {
      const { artifacts } = on.ports
      const predicate = {
        approval_id: 'a-late',
        project_id: project.project_id,
        transition: 'PLANNED->EXECUTED',
        role: 'security',
        approver: 'second.security@example.com',
        decision: 'REJECTED',
        reason: 'no',
        decided_at: new Date().toISOString(),
        subject_sha256: project.artifacts.signed_plan!.sha256,
        subject_name: 'signed_plan.dsse.json',
        identified_by: 'invited-address',
      }
      const subject = [{ name: predicate.subject_name, sha256: predicate.subject_sha256 }]
      const { bytes } = await signStatement(
        on.ports.signers.approval,
        statementOf({ predicateType: PREDICATES.approval, subject, predicate }),
      )
      const pointer = await store(on, project, 'rejection', bytes)
      const { key } = placeOf(pointer)
      const statements = `projects/${project.project_id}/approvals/`
      on.ports.artifacts = {
        ...artifacts,
        list: async (prefix) => [...(await artifacts.list(prefix)), ...(prefix === statements ? [key] : [])],
      }
      return undefined
    },
  },
  {
    what: 'an expired plan',
    writersOnly: true,
    async tamper({ on }) {
      on.later(200 * HOUR)
      return undefined
    },
  },
  {
    what: 'a plan under another policy',
    writersOnly: true,
    async tamper({ on }) {
      on.ports.policy = { ...on.ports.policy, version: '2099.1' }
      return undefined
    },
  },
  {
    what: 'a plan that was executed already',
    writersOnly: true,
    async tamper({ put }) {
      await put({ state: 'CUTOVER_DONE' })
      return undefined
    },
  },
  {
    what: 'a project that has not got there',
    async tamper({ put }) {
      await put({ state: 'PLAN_DRAFTED' })
      return undefined
    },
  },
]

const WRITERS: readonly Worker[] = ['prepare-target', 'copy-chunk', 'finish-target']

for (const worker of [...WRITERS, 'hash-segments', 'run-checks', 'roll-back-target'] as const) {
  describe(worker, () => {
    let b: Before
    beforeAll(async () => {
      b = await before(worker)
    })
    afterAll(() => b.on.close())

    for (const { what, writersOnly, tamper } of TAMPERS) {
      if (writersOnly && !WRITERS.includes(worker)) continue
      it(`refuses ${what} and touches nothing`, async () => {
        const change = await tamper(b)
        expect(await refusal(b, change)).toBe('PLAN_NOT_AUTHORISED')
        if (what === 'an expired plan') b.on.later(-200 * HOUR)
        await b.undo()
      })
    }

    for (const side of ['source', 'target'] as const) {
      it(`refuses another ${side} than the plan's, names both and touches neither`, async () => {
        const planned = b.on.systems.identities[side]
        b.on.systems.identities[side] = { ...planned, database_oid: '99999', database: 'copied' } as typeof planned
        const error = await b.on.work(b.task).then(
          () => null,
          (thrown: unknown) => thrown,
        )
        b.on.systems.identities[side] = planned
        expect(isWaybillError(error) ? [error.code, ...error.details] : error).toEqual([
          'PLAN_NOT_AUTHORISED',
          expect.stringMatching(new RegExp(`the plan's ${side} is database ".*" \\(oid 16387\\).*database "copied" \\(oid 99999\\)`)),
        ])
        expect(b.on.systems.touched).toEqual([])
        expect(b.on.systems.opened).toEqual(['source postgres://source', 'source postgres://target'])
        b.on.systems.opened.length = 0
      })
    }

    it('refuses what is out of scope and touches nothing', async () => {
      if (b.task.items === null) {
        expect(await refusal(b, { ids: ['salaries'] })).toBe('PLAN_NOT_AUTHORISED')
        return
      }
      expect(await refusal(b, { ids: [...b.task.ids, 'salaries'] })).toBe('PLAN_NOT_AUTHORISED')
      // A list of one's own making, which names a table that is not planned.
      const line = { chunk_id: 'x', step_id: 'x', item_id: 'x', table_id: 'salaries', range: { from: '0', to: null } }
      const { item_id: _, ...chunk } = line
      const forged = await store(
        b.on,
        b.project,
        'list',
        canonicalBytes(worker === 'copy-chunk' ? chunk : { item_id: 'x', table_id: 'salaries' }),
      )
      expect(await refusal(b, { items: forged, ids: ['x'] })).toBe('PLAN_NOT_AUTHORISED')
      // A list of one's own making about a planned table: another range under another name would copy rows twice.
      const own = worker === 'copy-chunk' ? { ...chunk, table_id: 'item' } : { item_id: 'x', table_id: 'item' }
      expect(await refusal(b, { items: await store(b.on, b.project, 'list', canonicalBytes(own)), ids: ['x'] })).toBe('PLAN_NOT_AUTHORISED')
      const name = worker === 'copy-chunk' ? 'chunks' : `segments.${b.task.run_id}`
      await b.put({ artifacts: { ...b.project.artifacts, [name]: forged } })
      expect(await refusal(b, { items: forged, ids: ['x'] })).toBe('PLAN_NOT_AUTHORISED')
      await b.undo()
    })

    it('refuses a task for another worker', async () => {
      const task = { ...b.task, worker: worker === 'copy-chunk' ? 'finish-target' : 'copy-chunk' }
      const handler = (await import(`../../functions/${worker}/handler.ts`)).createHandler(b.on.ports) as (
        task: WorkerTask,
      ) => Promise<void>
      await expect(handler(task)).rejects.toMatchObject({ code: 'BAD_INPUT' })
      expect(b.on.systems.touched).toEqual([])
    })

    it('writes down why it refused, so that the run can say so', async () => {
      const prefix = `projects/${b.project.project_id}/work/run.${b.task.run_id}/failures/`
      const keys = await b.on.ports.artifacts.list(prefix)
      expect(keys.length).toBeGreaterThan(3)
      const last = JSON.parse(Buffer.from(await b.on.ports.artifacts.get((await b.on.ports.artifacts.find(keys[0]!))!)).toString('utf8'))
      expect(last).toMatchObject({ worker, error: 'PLAN_NOT_AUTHORISED' })
    })

    it('stops when it is asked to', async () => {
      const stop = new AbortController()
      stop.abort()
      const handler = (await import(`../../functions/${worker}/handler.ts`)).createHandler(b.on.ports) as (
        task: WorkerTask,
        context: { signal: AbortSignal; progress(): void },
      ) => Promise<void>
      await expect(handler(b.task, { signal: stop.signal, progress: () => {} })).rejects.toMatchObject({ code: 'INTERRUPTED' })
      expect(b.on.systems.touched).toEqual([])
    })

    if (worker === 'roll-back-target') {
      it('refuses without a signed outcome that orders it', async () => {
        const { outcome, proof_certificate, ...rest } = b.project.artifacts
        await b.put({ artifacts: rest })
        expect(await refusal(b)).toBe('PLAN_NOT_AUTHORISED')
        // An outcome written by hand, beside the signature of the true one.
        const document = JSON.parse(Buffer.from(await b.on.ports.artifacts.get(outcome!)).toString('utf8'))
        const forged = await store(b.on, b.project, 'outcome', canonicalBytes({ ...document, processing_ms: document.processing_ms + 1 }))
        await b.put({ artifacts: { ...rest, proof_certificate: proof_certificate!, outcome: forged } })
        expect(await refusal(b)).toBe('PLAN_NOT_AUTHORISED')
        await b.undo()
      })
    }

    if (!WRITERS.includes(worker)) {
      it('works although the plan has expired and the policy has changed: reading and undoing must stay possible', async () => {
        b.on.later(200 * HOUR)
        b.on.ports.policy = { ...b.on.ports.policy, version: '2099.1' }
        await b.on.work(b.task)
        expect(b.on.systems.touched).toEqual(worker === 'roll-back-target' ? ['rollBack'] : [])
        b.on.later(-200 * HOUR)
        await b.undo()
      })
    } else {
      it('works once everything holds, and again does nothing twice', async () => {
        await b.on.work(b.task)
        const once = [...b.on.systems.touched]
        expect(once.length).toBeGreaterThan(0)
        await b.on.work(b.task)
        if (worker === 'copy-chunk') expect(b.on.systems.touched).toEqual(once)
      })
    }

    // Last: an audit chain only grows, so nothing puts this back.
    it('refuses a project that was rolled back, whatever its record is edited to say', async () => {
      const { audit } = b.on.ports
      b.on.systems.touched.length = 0
      b.on.systems.opened.length = 0
      await b.put({ artifacts: b.project.artifacts, state: b.project.state })
      await advance(b.on.ports, b.project.project_id, { to: 'ROLLED_BACK', actor: 'test', action: 'ROLLED_BACK' })
      const run = { run_id: worker === 'hash-segments' ? b.task.run_id : 'run-later' }
      expect(await refusal(b, run), 'as recorded').toBe('PLAN_NOT_AUTHORISED')
      await b.put({ state: b.project.state })
      expect(await refusal(b, run), 'edited').toBe('PLAN_NOT_AUTHORISED')
      // The entry of the rollback cut off as well: the anchor still speaks of it.
      b.on.ports.audit = { ...audit, read: async (id) => (await audit.read(id)).slice(0, -1) }
      expect(await refusal(b, run), 'cut').toBe('PLAN_NOT_AUTHORISED')
      const rewritten = (entry: AuditEntry) => (entry.details.to === 'ROLLED_BACK' ? { ...entry, details: {} } : entry)
      b.on.ports.audit = { ...audit, read: async (id) => (await audit.read(id)).map(rewritten) }
      expect(await refusal(b, run), 'rewritten').toBe('PLAN_NOT_AUTHORISED')
      b.on.ports.audit = { ...audit, read: async (id) => (await audit.read(id)).slice(0, -1) }
      const { artifacts } = b.on.ports
      b.on.ports.artifacts = { ...artifacts, list: async (prefix) => (prefix.endsWith('/anchors/') ? [] : artifacts.list(prefix)) }
      expect(await refusal(b, run), 'without anchors').toBe('PLAN_NOT_AUTHORISED')
      b.on.ports.artifacts = artifacts
      b.on.ports.audit = audit
    })
  })
}
