import { afterEach, describe, expect, it } from 'vitest'
import { nextEntry } from '../../layers/core/audit-chain.ts'
import type { AuditEntry } from '../../layers/core/schemas/governance.ts'
import { type Asked, askedFor } from '../functions/support/asked.ts'
import { chain, filled, post, toTheEnd, until } from '../functions/support/decisions.ts'
import { editRecord, inDatabase } from '../functions/support/edited-record.ts'
import { linkIn, PEOPLE } from '../functions/support/story.ts'

/** Somebody who writes the log anew as a whole, with valid hashes and longer than it was: a hand in the home's database, or PutItem on the table. */
let asked: Asked
afterEach(() => asked.close())

const linkOf = (to: string) => linkIn(asked.mail(to))
const approve = async (to: string) => post(linkOf(to), await filled(linkOf(to), 'approve'))

async function rewrite(keep: (entries: AuditEntry[]) => AuditEntry[]): Promise<void> {
  const old = await asked.on.ports.audit.read(asked.projectId)
  const wanted: Pick<AuditEntry, 'at' | 'actor' | 'action' | 'subject_sha256' | 'reasoning_sha256' | 'details'>[] = [...keep(old)]
  const filler = { ...wanted.at(-1)!, action: 'APPROVER_REMINDED', subject_sha256: null, reasoning_sha256: null, details: {} }
  while (wanted.length < old.length + 3) wanted.push(filler)
  const made: AuditEntry[] = []
  for (const { at, actor, action, subject_sha256, reasoning_sha256, details } of wanted) {
    const fields = { project_id: asked.projectId, at, actor, action, subject_sha256, reasoning_sha256, details }
    made.push(nextEntry(made.at(-1) ?? null, fields))
  }
  inDatabase(asked.on.home, (db) => {
    db.exec('DROP TRIGGER audit_entries_fixed; DROP TRIGGER audit_entries_kept')
    db.prepare('DELETE FROM audit_entries WHERE project_id = ?').run(asked.projectId)
    const insert = db.prepare('INSERT INTO audit_entries (project_id, seq, entry_sha256, body) VALUES (?, ?, ?, ?)')
    for (const entry of made) insert.run(entry.project_id, entry.seq, entry.entry_sha256, JSON.stringify(entry))
  })
}

const rewritten = expect.stringMatching(/the chain was rewritten/)

describe('a log written anew', () => {
  it('is never anchored, and an executed plan is not executed again under it', { timeout: 90_000 }, async () => {
    asked = await askedFor((mail) => mail.to === PEOPLE.security)
    await until(async () => asked.on.mails.some((mail) => mail.to === PEOPLE.security))
    const read = asked.on.mails.length
    await approve(PEOPLE.security)
    await toTheEnd(asked, read)
    const touched = [...asked.on.systems.touched]
    await rewrite((entries) =>
      entries.slice(
        0,
        entries.findIndex(({ details }) => details.from === 'PLANNED' && details.to === 'EXECUTED'),
      ),
    )
    const { anchors, projects } = asked.on.ports
    const record = await projects.get(asked.projectId)
    editRecord(asked.on.home, { ...record, state: 'PLANNED', failed_from: null, failure: null })

    const byHand = () => asked.on.work({ worker: 'prepare-target', project_id: asked.projectId, run_id: 'by-hand', items: null, ids: [] })
    const refused = { code: 'PLAN_NOT_AUTHORISED', details: expect.arrayContaining([rewritten]) }
    await expect(byHand()).rejects.toMatchObject(refused)
    await expect(anchors.anchor(asked.projectId)).rejects.toMatchObject({
      code: 'EVIDENCE_INVALID',
      details: expect.arrayContaining([rewritten]),
    })
    await expect(byHand()).rejects.toMatchObject(refused)
    expect(asked.on.systems.touched).toEqual(touched)
    expect((await chain(asked, 'WORK_REFUSED')).length).toBeGreaterThan(0)
  })

  it('brings no withdrawn approval back, also when the refused migration is started again', { timeout: 90_000 }, async () => {
    asked = await askedFor((mail) => mail.to === PEOPLE.security)
    await until(async () => [PEOPLE.security, PEOPLE.data_owner].every((to) => asked.on.mails.some((mail) => mail.to === to)))
    await post(linkOf(PEOPLE.data_owner), await filled(linkOf(PEOPLE.data_owner), 'withdraw', { reason: 'I saw something' }))
    inDatabase(asked.on.home, (db) => db.exec("DELETE FROM artifacts WHERE key LIKE '%/approvals/%-w.dsse.json'"))
    await rewrite((entries) => entries.filter(({ action }) => action !== 'APPROVAL_WITHDRAWN'))
    const { runner } = asked.on
    await approve(PEOPLE.security)
    await runner.settled()
    await runner.start('migration', 'again', { project_id: asked.projectId, run_id: 'run-2' })
    await runner.settled()
    expect(asked.on.systems.touched).toEqual([])
    expect((await chain(asked, 'WORK_REFUSED')).length).toBeGreaterThan(0)
  })
})
