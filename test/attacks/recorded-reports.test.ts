import { afterEach, describe, expect, it } from 'vitest'
import { nextEntry } from '../../layers/core/audit-chain.ts'
import { canonicalBytes } from '../../layers/core/canonical-json.ts'
import { artifactJson } from '../../layers/core/flow/project-artifacts.ts'
import { type ReconReport, reconReport } from '../../layers/core/schemas/recon.ts'
import { executionReport } from '../../layers/core/schemas/work.ts'
import { writeRecord } from '../functions/support/edited-record.ts'
import { type TestPlatform, testPlatform } from '../functions/support/platform.ts'
import { storeSpec, tell } from '../functions/support/story.ts'

/** The function of an agent, which may write its own folder, the project record and the log, and cannot sign. */
let on: TestPlatform
afterEach(() => on.close())

const LONG = 60_000
type Steps = { report?: (honest: ReconReport) => object; execution?: (honest: object) => object; says?: Record<string, string> }

/** Tells the story of a target with a row missing; as soon as it was compared, the agent exchanges what `steps` names. */
async function told(steps: Steps, missing = 1) {
  on = await testPlatform()
  const id = await storeSpec(on)
  if (missing > 0) on.systems.findings.push(...Array.from({ length: 5 }, () => ({ missing })))
  const exchange = async (run: string) => {
    const { artifacts, audit, clock } = on.ports
    const project = await projects.get(id)
    const put = (name: string, value: unknown) =>
      artifacts.put(`projects/${id}/explanation/${name}.json`, canonicalBytes(value), {
        contentType: 'application/json',
        retainUntil: new Date(clock.now().getTime() + 86_400_000),
      })
    const named: typeof project.artifacts = {}
    if (steps.report) {
      const pointer = await put('report', steps.report(await artifactJson(artifacts, project, `recon_report.${run}`, reconReport)))
      named.recon_report = pointer
      named[`recon_report.${run}`] = pointer
    }
    if (steps.execution)
      named.execution_report = await put(
        'execution',
        steps.execution(await artifactJson(artifacts, project, 'execution_report', executionReport)),
      )
    if (steps.says) {
      const fields = { project_id: id, at: clock.now().toISOString(), actor: 'waybill/merge-segments', action: 'RECONCILIATION_MERGED' }
      await audit.append(
        nextEntry(await audit.head(id), { ...fields, subject_sha256: named.recon_report!.sha256, details: { run_id: run, ...steps.says } }),
      )
    }
    await writeRecord({ projects, audit, clock }, { ...project, artifacts: { ...project.artifacts, ...named } })
  }
  const { projects } = on.ports
  let done = false
  on.ports.projects = {
    ...projects,
    update: async (next, entry) => {
      const outcome = await projects.update(next, entry)
      const merged = Object.keys(next.artifacts).find((name) => name.startsWith('recon_report.'))
      if (done || merged === undefined || outcome !== 'WRITTEN') return outcome
      done = true
      await exchange(merged.slice('recon_report.'.length))
      return outcome
    },
  }
  const { project } = await tell(on, id)
  const log = await on.ports.audit.read(id)
  const refused = log.filter(({ action }) => action === 'RECONCILIATION_FAILED').map(({ details }) => details.reason)
  return { project, refused, proven: log.filter(({ action }) => action === 'OUTCOME_PROVEN').map(({ details }) => details.proof_status) }
}

const passing = (honest: ReconReport) => ({
  ...honest,
  verdict: 'pass',
  reasons: [],
  tables: honest.tables.map((table) => ({
    ...table,
    missing: '0',
    target_rows: table.source_rows,
    verdict: 'pass',
    severity: null,
    reasons: [],
  })),
})

describe('the report of a comparison, exchanged in the project record', { timeout: LONG }, () => {
  it('proves nothing: what was merged is read by its own key, and says that the target differs', async () => {
    const { project, proven } = await told({ report: passing })
    expect([project?.state, proven]).toEqual(['ROLLED_BACK', ['INVALID']])
  })

  it('proves nothing either when the log is made to say so beside it', async () => {
    const { project, proven, refused } = await told({ report: passing, says: { verdict: 'pass' } })
    expect(refused).toEqual([expect.stringContaining('records another comparison of run')])
    // It is compared once more, under another run, which finds the same.
    expect([project?.state, proven]).toEqual(['ROLLED_BACK', ['INVALID']])
  })

  it('of a copy is not asked: the one that the log calls executed goes into the proof', async () => {
    const fewer = (honest: object) => ({ ...honest, retries: '41' })
    const { project, proven } = await told({ execution: fewer }, 0)
    expect([project?.state, proven]).toEqual(['EVIDENCE_COMPLETE', expect.arrayContaining(['VALID'])])
    const stored = await artifactJson(on.ports.artifacts, project!, 'execution_report', executionReport)
    expect(stored.retries).toBe('41')
  })
})
