import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, expect, it } from 'vitest'
import { standingOf } from '../../functions/work/separation-of-duties.ts'
import { artifactOf } from '../../layers/core/artifacts.ts'
import { keyOf } from '../../layers/core/flow/storing.ts'
import { askedFor } from '../functions/support/asked.ts'
import { filled, post, settled, until } from '../functions/support/decisions.ts'
import { editRecord } from '../functions/support/edited-record.ts'
import { type TestPlatform, testPlatform } from '../functions/support/platform.ts'
import { answer, asksToDecide, getRequest, linkIn, PEOPLE, postRequest, specText, storeSpec, yes } from '../functions/support/story.ts'

const open: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const each of open.splice(0)) await each.close()
})

/** A migration of this id on a platform of its own, waiting for security. */
async function waiting(on: TestPlatform, id: string): Promise<URL> {
  await on.ports.artifacts.put(keyOf(id, 'spec', '1'), Buffer.from(specText()), {
    contentType: 'application/json',
    retainUntil: new Date(),
  })
  const read = on.mails.length
  await on.runner.start('migration', `${id}-run`, { project_id: id, run_id: 'run-1' })
  for (let at = read; ; ) {
    const mail = on.mails[at]
    if (mail === undefined) await new Promise((resolve) => setTimeout(resolve, 5))
    else if (mail.to === PEOPLE.security) break
    else {
      at += 1
      if (asksToDecide(mail)) await answer(on, mail, yes(mail)!)
    }
  }
  await until(async () =>
    (await on.ports.approvals.byProject(id)).some(({ role, status }) => role === 'data_owner' && status === 'DECIDED'),
  )
  return linkIn(on.mails.findLast((mail) => mail.to === PEOPLE.security)!)
}

async function platform(): Promise<TestPlatform> {
  const on = await testPlatform()
  open.push(on)
  return on
}

it('a link into a project of the same id that was made anew opens nothing there', async () => {
  const [first, second] = [await platform(), await platform()]
  const [old, fresh] = [await waiting(first, 'again'), await waiting(second, 'again')]
  const page = await second.http(getRequest(fresh))
  const fields = new URLSearchParams({ t: old.searchParams.get('t')!, decision: 'approve' })
  expect((await second.http(getRequest(old))).status).toBe(404)
  expect((await second.http(postRequest(old, fields))).status).toBe(404)
  expect((await second.http(postRequest(fresh, fields))).status).toBe(403)
  expect(page.status).toBe(200)
  await settled()
  expect(second.systems.touched).toEqual([])
  expect((await second.ports.audit.read('again')).at(-1)?.action).toBe('DECISION_REFUSED')
})

it('approvals of an earlier project of the same id, keys included, open no gate of the new one', async () => {
  const [first, second] = [await platform(), await platform()]
  // The home was thrown away, the keys were kept.
  second.ports.signers = first.ports.signers
  second.ports.trust = first.ports.trust
  first.later(1000)
  const old = await waiting(first, 'again')
  // In the earlier one everybody approved.
  const mail = first.mails.findLast(({ to }) => to === PEOPLE.security)!
  expect(linkIn(mail).href).toBe(old.href)
  expect(await answer(first, mail, { decision: 'approve' })).toBe(200)
  await waiting(second, 'again')
  const { artifacts } = first.ports
  const statements = await artifacts.list('projects/again/approvals/')
  expect(statements.length).toBeGreaterThan(2)
  for (const [at, key] of statements.entries()) {
    const bytes = await artifacts.get((await artifacts.find(key))!)
    await second.ports.artifacts.put(`projects/again/approvals/old-${at}.dsse.json`, bytes, {
      contentType: 'application/json',
      retainUntil: new Date(),
    })
  }
  const project = await second.ports.projects.get('again')
  const standing = await standingOf(second.ports, project, 'PLANNED->EXECUTED', artifactOf(project, 'signed_plan').sha256)
  expect(standing?.missing).toEqual(['security'])
  await expect(
    second.work({ worker: 'prepare-target', project_id: 'again', run_id: 'by-hand', items: null, ids: [] }),
  ).rejects.toMatchObject({ code: 'PLAN_NOT_AUTHORISED' })
  expect(second.systems.touched).toEqual([])
})

it('a signed plan of another project is nobody’s here', async () => {
  const on = await platform()
  await waiting(on, 'mine')
  await waiting(on, 'other')
  const [mine, other] = [await on.ports.projects.get('mine'), await on.ports.projects.get('other')]
  for (const taken of [['signed_plan'], ['migration_plan', 'signed_plan']]) {
    const lent = Object.fromEntries(taken.map((name) => [name, other.artifacts[name]!]))
    const now = await on.ports.projects.get('mine')
    editRecord(on.home, { ...now, artifacts: { ...mine.artifacts, ...lent } })
    await expect(
      on.work({ worker: 'prepare-target', project_id: 'mine', run_id: `by-hand-${taken.length}`, items: null, ids: [] }),
    ).rejects.toMatchObject({ code: 'PLAN_NOT_AUTHORISED' })
  }
  expect(on.systems.touched).toEqual([])
})

it('the sealed task token of another project, put in place of this one’s, tells neither', async () => {
  const asked = await askedFor((mail) => mail.to === PEOPLE.security)
  open.push(asked)
  const { on } = asked
  const other = await storeSpec(on)
  await on.runner.start('migration', `${other}-run`, { project_id: other, run_id: 'run-1' })
  await until(async () => (await on.ports.approvals.byProject(other)).length > 0)
  const db = new DatabaseSync(join(on.home, 'waybill.sqlite'))
  const groupOf = async (id: string) => (await on.ports.approvals.byProject(id)).at(-1)!.group_id
  const security = (await on.ports.approvals.byProject(asked.projectId)).find(({ role }) => role === 'security')!
  db.prepare(
    'UPDATE approval_groups SET sealed_token = (SELECT sealed_token FROM approval_groups WHERE group_id = ?) WHERE group_id = ?',
  ).run(await groupOf(other), security.group_id)
  db.close()
  const link = linkIn(asked.mail(PEOPLE.security))
  // The decision is kept; the machine that cannot be told waits, and the other one hears nothing.
  await post(link, await filled(link, 'approve'))
  await settled()
  expect(on.systems.touched).toEqual([])
  expect((await on.ports.projects.get(asked.projectId)).state).toBe('PLANNED')
  expect((await on.ports.projects.get(other)).state).toBe('PLAN_DRAFTED')
  expect((await on.ports.audit.read(asked.projectId)).at(-1)?.action).toBe('DECISION_TAKEN')
})
