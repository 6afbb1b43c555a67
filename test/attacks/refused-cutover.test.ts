import { afterEach, expect, it } from 'vitest'
import { WaybillError } from '../../layers/core/errors.ts'
import { type Asked, askedFor } from '../functions/support/asked.ts'
import { chain, filled, post } from '../functions/support/decisions.ts'
import { linkIn, PEOPLE } from '../functions/support/story.ts'

let asked: Asked
afterEach(() => asked.close())

const project = () => asked.on.ports.projects.get(asked.projectId)

async function run(machine: 'migration' | 'reconcile', name: string) {
  await asked.on.runner.start(machine, name, { project_id: asked.projectId, run_id: name })
  return asked.on.runner.wait(name)
}

async function waitsForTheLast(): Promise<URL[]> {
  asked = await askedFor((mail) => mail.to === PEOPLE.release_manager)
  return [PEOPLE.release_manager, PEOPLE.data_owner].map((person) => linkIn(asked.mail(person)))
}

it('a cutover refused because the checks of the newest comparison were cut off is made after another comparison', {
  timeout: 120_000,
}, async () => {
  const links = await waitsForTheLast()
  asked.on.failNext('run-checks', new WaybillError('CONNECTION_FAILED', 'The target went away.'), 4)
  await run('reconcile', 'cut-off')
  for (const link of links) await post(link, await filled(link, 'approve'))
  await asked.on.runner.wait(asked.run)
  expect(await project()).toMatchObject({ state: 'FAILED', failed_from: 'CUTOVER_READY' })
  expect((await project()).failure?.reason).toMatch(/its checks were not completed: The target went away/)
  await run('migration', 'too-early')
  expect(await project()).toMatchObject({ state: 'FAILED', failed_from: 'CUTOVER_READY' })
  expect(await run('reconcile', 'again')).toMatchObject({ status: 'SUCCEEDED', output: { decision: 'pass' } })
  await run('migration', 'taken-up')
  expect((await project()).state).toBe('EVIDENCE_COMPLETE')
})

it.each([
  ['rows that are missing', () => asked.on.systems.findings.push({ missing: 3 }), /they differ: 3 rows missing/],
  ['a check that fails', () => asked.on.systems.checks.push('fail'), /a check no longer holds/],
] as const)('a cutover is not made over %s, found while it was judged', { timeout: 120_000 }, async (_what, find, reason) => {
  const [first, last] = await waitsForTheLast()
  await post(first!, await filled(first!, 'approve'))
  const { artifacts } = asked.on.ports
  let late: string | null = null
  asked.on.ports.artifacts = {
    ...artifacts,
    list: async (prefix) => {
      // What was compared is judged by then; approvals are not.
      if (late === null && prefix.endsWith('/proof_certificate/')) {
        late = 'begun'
        find()
        late = (await run('reconcile', 'late'))?.status ?? 'nothing'
      }
      return artifacts.list(prefix)
    },
  }
  await post(last!, await filled(last!, 'approve'))
  await asked.on.runner.wait(asked.run)
  asked.on.ports.artifacts = artifacts
  expect(late).not.toBeNull()
  expect(await chain(asked, 'CUTOVER_DONE')).toEqual([])
  expect(await project()).toMatchObject({ state: 'FAILED', failed_from: 'CUTOVER_READY' })
  expect((await project()).failure?.reason).toMatch(reason)
})
