import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { newestSince } from '../../functions/work/newest-comparison.ts'
import { escaped } from '../../layers/core/approval-page/visible-text.ts'
import { nextEntry } from '../../layers/core/audit-chain.ts'
import { canonicalBytes } from '../../layers/core/canonical-json.ts'
import { WaybillError } from '../../layers/core/errors.ts'
import { artifactJson } from '../../layers/core/flow/project-artifacts.ts'
import { keyOf } from '../../layers/core/flow/storing.ts'
import { newestInWords } from '../../layers/core/newest-comparison.ts'
import { outcome as outcomeSchema } from '../../layers/core/schemas/outcome.ts'
import type { ReconReport } from '../../layers/core/schemas/recon.ts'
import { fixtureTable } from '../support/pack-fixture.ts'
import { type Asked, askedFor } from './support/asked.ts'
import { linkIn, PEOPLE } from './support/story.ts'

let asked: Asked
beforeEach(async () => {
  asked = await askedFor((mail) => mail.to === PEOPLE.release_manager)
}, 60_000)
afterEach(() => asked.close())

const shown = async () => (await fetch(linkIn(asked.mail(PEOPLE.release_manager)))).text()
const proof = async () => {
  const { artifacts, projects } = asked.on.ports
  return artifactJson(artifacts, await projects.get(asked.projectId), 'outcome', outcomeSchema)
}
async function compareAgain(name: string): Promise<void> {
  await asked.on.runner.start('reconcile', name, { project_id: asked.projectId, run_id: name })
  await asked.on.runner.wait(name)
}
/** What `waybill report` says of the newest comparison. */
async function inWords(): Promise<string> {
  const outcome = await proof()
  return newestInWords((await newestSince(asked.on.ports, asked.projectId, outcome))!.newest, outcome)
}
const REFUSED = 'the cutover is not made, whoever approves it'

describe('the page on which the cutover is approved', { timeout: 60_000 }, () => {
  it('says that nothing was compared since the proof', async () => {
    const page = await shown()
    expect(page).toContain('Was it compared again since?')
    expect(page).not.toContain('Since then')
  })

  it('shows a newer comparison that agrees: when, which run, and what', async () => {
    await compareAgain('equal')
    const page = await shown()
    const { newest } = (await newestSince(asked.on.ports, asked.projectId, await proof()))!
    expect([newest.found, newest.run_id]).toEqual(['equal', expect.stringMatching(/^equal-r\d/)])
    for (const said of ['Since then: source and target are equal', escaped(await inWords(), 1000), newest.run_id, 'Rows compared since'])
      expect(page).toContain(said)
    expect(page).toContain('1 table: 30 rows of the source, 30 rows of the target')
    expect(page).toMatch(/<span class="mark good">Pass<\/span> <span>The newest comparison/)
    expect(page).not.toContain(REFUSED)
  })

  it.each<[string, () => void, string, RegExp]>([
    [
      'rows that are missing',
      () => void asked.on.systems.findings.push({ missing: 3 }),
      'Since then: source and target differ',
      /3 rows missing.*it no longer says what is so/,
    ],
    [
      'a check that fails',
      () => void asked.on.systems.checks.push('fail'),
      'Since then: source and target differ',
      /a check no longer holds: They do not hold the same/,
    ],
    [
      'checks that were cut off',
      () => asked.on.failNext('run-checks', new WaybillError('CONNECTION_FAILED', 'The target went away.'), 4),
      'Since then: not decided',
      /its checks were not completed: The target went away.*whether it still holds is not known/,
    ],
  ])('shows %s before anything else, in the words of a report', async (_what, find, head, words) => {
    find()
    await compareAgain('again')
    const page = await shown()
    expect(await inWords()).toMatch(words)
    expect(page.split(escaped(await inWords(), 1000)).length).toBe(3)
    const places = [
      page.indexOf('<span>The newest comparison'),
      page.indexOf('<span>On '),
      page.indexOf(head),
      page.indexOf('What will be done'),
    ]
    expect(places).toEqual(places.toSorted((a, b) => a - b))
    expect(places.every((place) => place > 0)).toBe(true)
    expect(page).toContain(REFUSED)
    // The proof was valid for its moment; no green word stands beside what was found since.
    expect(page).toContain('<span class="mark note">Note</span> <span>On ')
  })

  it('says that nothing is known where log and store disagree', async () => {
    await compareAgain('once')
    const { audit } = asked.on.ports
    const merged = (await audit.read(asked.projectId)).findLast(({ action }) => action === 'RECONCILIATION_MERGED')!
    const { actor, action, subject_sha256, details } = merged
    const at = asked.on.ports.clock.now().toISOString()
    await audit.append(
      nextEntry(await audit.head(asked.projectId), {
        project_id: asked.projectId,
        at,
        actor,
        action,
        subject_sha256,
        details: { ...details },
      }),
    )
    const page = await shown()
    expect(page).toMatch(/Since then: not decided.*could not be told: audit entry \d+ records the comparison/s)
    expect(page).toContain(REFUSED)
  })

  it('stays small and shows names as they are, of five thousand tables with the longest ones', async () => {
    const { artifacts, audit, clock } = asked.on.ports
    const hostile = `<script>alert("\u202E")</script>${'x&'.repeat(100)}`
    const outcome = await proof()
    const plan_sha256 = outcome.inputs.plan_sha256
    const identity = { kind: 'postgresql' as const, server: 's', system_identifier: '1', database_oid: '1', database: 'd' }
    const report: ReconReport = {
      schema: 'waybill/recon-report/v1',
      project_id: asked.projectId,
      run_id: 'wide-r9',
      plan_sha256,
      identities: { source: identity, target: identity },
      started_at: clock.now().toISOString(),
      finished_at: clock.now().toISOString(),
      items_expected: 5000,
      items_completed: 5000,
      tables: Array.from({ length: 5000 }, (_, at) => ({
        ...fixtureTable(`t${at}`, [5]),
        target_object: `${hostile}${at}`.slice(0, 300),
        missing: '2',
        verdict: 'fail' as const,
      })),
      differences: null,
      verdict: 'fail',
      reasons: [hostile],
    }
    const pointer = await artifacts.put(keyOf(asked.projectId, 'recon_report', 'wide-r9'), canonicalBytes(report), {
      contentType: 'application/json',
      retainUntil: clock.now(),
    })
    const details = { run_id: 'wide-r9', verdict: 'fail', tables: '5000' }
    const fields = { project_id: asked.projectId, at: clock.now().toISOString(), actor: 'waybill/merge-segments' }
    await audit.append(
      nextEntry(await audit.head(asked.projectId), { ...fields, action: 'RECONCILIATION_MERGED', subject_sha256: pointer.sha256, details }),
    )
    const page = await shown()
    expect(page).toContain('10,000 rows missing, 0 extra, 0 changed, in 5,000 of 5,000 tables')
    expect(page).toMatch(/[\d,]+ more tables are in the reconciliation report of this run\./)
    expect(page).not.toMatch(/<script>alert|\u202E/)
    expect(Buffer.byteLength(page)).toBeLessThan(100_000)
  })
})
