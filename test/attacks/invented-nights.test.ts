import { expect, it } from 'vitest'
import { measured } from '../../cli/run/summary.ts'
import { nextEntry } from '../../layers/core/audit-chain.ts'
import { WaybillError } from '../../layers/core/errors.ts'
import { type Asked, askedFor } from '../functions/support/asked.ts'
import { chain, filled, post, toTheEnd } from '../functions/support/decisions.ts'
import { testPlatform } from '../functions/support/platform.ts'
import { linkIn, PEOPLE, storeSpec, tell } from '../functions/support/story.ts'

/** Somebody who appends to the audit log, which takes no key. */

it('adds no night to a parallel run by entries: the nights asked for are compared all the same', { timeout: 90_000 }, async () => {
  const asked: Asked = await askedFor((mail) => mail.to === PEOPLE.qa_lead, { policy: { clean_runs_required: 3 } })
  const { audit, clock, projects, tasks } = asked.on.ports
  const project = await projects.get(asked.projectId)
  const [first] = await chain(asked, 'RECONCILIATION_MERGED')
  const invent = async (night: string, runId: string) => {
    const details = { night, run_id: runId, result: 'clean', plan_sha256: project.artifacts.migration_plan!.sha256 }
    const fields = { project_id: asked.projectId, at: clock.now().toISOString(), actor: 'waybill/close-reconciliation' }
    const subject_sha256 = first!.subject_sha256
    await audit.append(nextEntry(await audit.head(asked.projectId), { ...fields, action: 'NIGHT_CLEAN', subject_sha256, details }))
  }
  let done = false
  asked.on.ports.tasks = {
    ...tasks,
    // After the last approval, before anything is counted.
    succeed: async (...given) => {
      if (!done) for (const day of [1, 2, 3, 4, 5]) await invent(`2026-01-0${day}`, day === 5 ? 'of-nobody' : first!.details.run_id!)
      done = true
      return tasks.succeed(...given)
    },
  }
  const read = asked.on.mails.length
  const link = linkIn(asked.mail(PEOPLE.qa_lead))
  await post(link, await filled(link, 'approve'))
  const { faults } = await toTheEnd(asked, read)
  expect(faults).toEqual([])
  const counts = (await chain(asked, 'CLEAN_NIGHTS_COUNTED')).map(({ details }) => [details.clean_nights, details.nights])
  expect(counts.map(([count]) => count)).toEqual(['1', '2', '3'])
  expect(counts.at(-1)?.[1]).not.toContain('2026-01')
  expect((await projects.get(asked.projectId)).clean_runs).toBe(3)
  await asked.close()
})

it('makes no cutover where the nights that were counted are not there any more', { timeout: 90_000 }, async () => {
  const on = await testPlatform()
  const { artifacts, projects } = on.ports
  const id = await storeSpec(on)
  const gone = async () => (await projects.get(id)).state === 'CUTOVER_READY'
  on.ports.artifacts = {
    ...artifacts,
    list: async (prefix) => (prefix.endsWith('/nights/') && (await gone()) ? [] : artifacts.list(prefix)),
  }
  const { project } = await tell(on, id)
  expect([project?.state, project?.failed_from, project?.failure?.code]).toEqual(['FAILED', 'CUTOVER_READY', 'PLAN_NOT_AUTHORISED'])
  expect(project?.failure?.reason).toContain('the parallel run showed 0 clean nights, and 1 are asked for')
  await on.close()
})

it.each([
  ['known to differ', 0, /the newest comparison \(late-r\d+\) found that they differ: 3 rows missing/],
  ['said once more to be as it was before it differed', 1, /records the comparison of run .* a second time/],
])('makes no cutover of what is %s', { timeout: 90_000 }, async (_what, repeated, says) => {
  const asked: Asked = await askedFor((mail) => mail.to === PEOPLE.release_manager)
  const { on, projectId } = asked
  const { audit, clock, projects } = on.ports
  const links = [PEOPLE.release_manager, PEOPLE.data_owner].map((person) => linkIn(asked.mail(person)))
  on.systems.findings.push({ missing: 3 })
  const night = { project_id: projectId, run_id: 'late', purpose: 'night', scheduled: clock.now().toISOString(), again: true }
  await on.runner.start('reconcile', 'late', night)
  await on.runner.wait('late')
  const [first] = await chain(asked, 'RECONCILIATION_MERGED')
  const { action, actor, subject_sha256, details } = first!
  const fields = { project_id: projectId, at: clock.now().toISOString(), action, actor, subject_sha256 }
  for (let times = 0; times < repeated; times++)
    await audit.append(nextEntry(await audit.head(projectId), { ...fields, details: { run_id: details.run_id!, verdict: 'pass' } }))
  for (const link of links) await post(link, await filled(link, 'approve'))
  await on.runner.wait(asked.run)
  const project = await projects.get(projectId)
  expect([project.state, project.failed_from, project.failure?.code]).toEqual(['FAILED', 'CUTOVER_READY', 'PLAN_NOT_AUTHORISED'])
  expect((await chain(asked, 'CUTOVER_REFUSED')).length + (await chain(asked, 'RUN_FAILED')).length).toBeGreaterThan(0)
  expect(JSON.stringify([project.failure, await audit.read(projectId)])).toMatch(says)
  // Nor does anybody read that the proof still holds.
  const { newest } = await measured(on.ports, project)
  expect(newest?.found).toBe(repeated === 0 ? 'differs' : 'undecided')
  await asked.close()
})

it.each([
  ['no longer hold', ({ systems }: Asked['on']) => systems.checks.push('fail'), /but a check no longer holds: They do not hold the same/],
  [
    'were not decided',
    ({ systems }: Asked['on']) => systems.checks.push('inconclusive'),
    /could not be decided: They do not hold the same/,
  ],
  [
    'were not run',
    (on: Asked['on']) => on.failNext('run-checks', new WaybillError('CONNECTION_FAILED', 'The target went away.'), 4),
    /found every row in both, and its checks were not completed/,
  ],
])('makes no cutover where checks that held at the proof %s', { timeout: 90_000 }, async (_what, befall, says) => {
  const asked: Asked = await askedFor((mail) => mail.to === PEOPLE.release_manager)
  const { on, projectId } = asked
  const links = [PEOPLE.release_manager, PEOPLE.data_owner].map((person) => linkIn(asked.mail(person)))
  befall(on)
  await on.runner.start('reconcile', 'again', { project_id: projectId, run_id: 'again' })
  await on.runner.wait('again')
  expect((await chain(asked, 'RECONCILIATION_MERGED')).at(-1)?.details).toMatchObject({ verdict: 'pass' })
  for (const link of links) await post(link, await filled(link, 'approve'))
  await on.runner.wait(asked.run)
  const project = await on.ports.projects.get(projectId)
  expect([project.state, project.failed_from, project.failure?.code]).toEqual(['FAILED', 'CUTOVER_READY', 'PLAN_NOT_AUTHORISED'])
  expect(project.failure?.reason).toMatch(says)
  // And everybody reads the same.
  const { newest } = await measured(on.ports, project)
  expect(newest?.says).toMatch(says)
  await asked.close()
})
