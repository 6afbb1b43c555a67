import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { getJson } from '../../layers/core/artifacts.ts'
import { canonicalBytes } from '../../layers/core/canonical-json.ts'
import { sha256 } from '../../layers/core/digest.ts'
import { WaybillError } from '../../layers/core/errors.ts'
import { checksReport } from '../../layers/core/schemas/recon.ts'
import { type Asked, askedFor } from '../functions/support/asked.ts'
import { chain, filled, post } from '../functions/support/decisions.ts'
import { inDatabase } from '../functions/support/edited-record.ts'
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

/** Somebody with a hand in the store: every check of the newest comparison that failed passes now. */
async function exchangeChecks(): Promise<void> {
  const { artifacts } = asked.on.ports
  const folder = `projects/${asked.projectId}/checks_report/`
  for (const key of await artifacts.list(folder)) {
    const pointer = (await artifacts.find(key))!
    const real = await getJson(artifacts, pointer, checksReport)
    if (real.checks.every(({ verdict }) => verdict === 'pass')) continue
    const bytes = canonicalBytes({ ...real, checks: real.checks.map((check) => ({ ...check, verdict: 'pass' })) })
    const path = join(asked.on.home, 'artifacts', key)
    await chmod(path, 0o600)
    await writeFile(path, bytes)
    inDatabase(asked.on.home, (db) =>
      db
        .prepare('UPDATE artifacts SET sha256 = ?, version_id = ?, size = ? WHERE key = ?')
        .run(sha256(bytes), sha256(bytes).slice(0, 32), bytes.length, key),
    )
    expect(sha256(await artifacts.get((await artifacts.find(key))!))).toBe(sha256(bytes))
    return
  }
  throw new Error('no check failed')
}

it('a cutover is not made over checks that failed in the newest comparison and were exchanged for some that pass', {
  timeout: 120_000,
}, async () => {
  const links = await waitsForTheLast()
  asked.on.systems.checks.push('fail')
  await run('reconcile', 'failing')
  await exchangeChecks()
  for (const link of links) await post(link, await filled(link, 'approve'))
  await asked.on.runner.wait(asked.run)
  expect(await chain(asked, 'CUTOVER_DONE')).toEqual([])
  expect(await project()).toMatchObject({ state: 'FAILED', failed_from: 'CUTOVER_READY' })
  expect((await project()).failure?.reason).toMatch(/could not be decided: audit entry \d+ closed run \S+ with other checks than these/)
})
