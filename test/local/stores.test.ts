import { chmodSync, existsSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { chainFaults } from '../../layers/core/audit-chain.ts'
import type { ArtifactPointer } from '../../layers/core/schemas/common.ts'
import { sqliteApprovalStore } from '../../layers/local/approval-store.ts'
import { directoryArtifactStore } from '../../layers/local/artifact-store.ts'
import { sqliteAuditLog } from '../../layers/local/audit-log.ts'
import { systemClock } from '../../layers/local/clock.ts'
import { openHome } from '../../layers/local/home.ts'
import { sealKey } from '../../layers/local/keys.ts'
import { sqliteLeaseStore } from '../../layers/local/lease-store.ts'
import { sqliteProjectStore } from '../../layers/local/project-store.ts'
import { aesTokenSeal } from '../../layers/local/token-seal.ts'
import { approvalStoreContract } from '../contracts/approval-store.ts'
import { artifactStoreContract } from '../contracts/artifact-store.ts'
import { auditLogContract, entryAfter } from '../contracts/audit-log.ts'
import { leaseStoreContract } from '../contracts/lease.ts'
import { projectStoreContract } from '../contracts/project-store.ts'
import { approvalGroup, approvalRequest, projectRecord, refusal, told } from '../contracts/samples.ts'
import { startChild } from './child-process.ts'
import { temporaryFolder, temporaryHomes } from './temporary.ts'

projectStoreContract('SQLite', async () => {
  const { first, second, done } = temporaryHomes()
  const spoil = async (projectId: string, body: string) => {
    second.db.prepare('UPDATE projects SET body = ? WHERE project_id = ?').run(body, projectId)
  }
  return { store: sqliteProjectStore(first), second: sqliteProjectStore(second), log: sqliteAuditLog(second), spoil, done }
})

leaseStoreContract('SQLite', async () => {
  const { first, second, done } = temporaryHomes()
  return { store: sqliteLeaseStore(first), second: sqliteLeaseStore(second), done }
})

auditLogContract('SQLite', async () => {
  const { first, second, done } = temporaryHomes()
  return { store: sqliteAuditLog(first), second: sqliteAuditLog(second), done }
})

approvalStoreContract('SQLite', async () => {
  const { first, second, done } = temporaryHomes()
  const open = (home: typeof first) => sqliteApprovalStore({ db: home.db, seal: aesTokenSeal(sealKey(home.keys)) })
  return { store: open(first), second: open(second), done }
})

artifactStoreContract('directory', async () => {
  const { first, second, done } = temporaryHomes()
  let now = new Date('2026-03-01T10:00:00.000Z')
  const open = (home: typeof first) => directoryArtifactStore({ folder: home.artifacts, db: home.db, clock: { now: () => now } })
  const elapse = () => {
    now = new Date('2200-01-01T00:00:00.000Z')
  }
  return { store: open(first), second: open(second), elapse, done }
})

const kept = { contentType: 'text/plain', retainUntil: new Date('2126-01-01') }

describe('a home', () => {
  const homes: ReturnType<typeof temporaryHomes>[] = []
  const make = () => {
    const home = temporaryHomes()
    homes.push(home)
    return home
  }
  afterEach(async () => {
    for (const home of homes.splice(0)) await home.done()
  })

  it('is open to its owner only, also when it was made otherwise', async () => {
    const { first, folder } = make()
    const store = directoryArtifactStore({ folder: first.artifacts, db: first.db, clock: systemClock })
    await store.put('k/1', Buffer.from('one'), kept)
    sealKey(first.keys)
    for (const path of ['.', 'artifacts', 'keys', 'outbox', 'locks', 'artifacts/k'])
      expect(statSync(join(folder, path)).mode & 0o777).toBe(0o700)
    for (const path of ['waybill.sqlite', 'waybill.sqlite-wal', 'keys/seal.key'])
      expect(statSync(join(folder, path)).mode & 0o777).toBe(0o600)
    expect(statSync(join(folder, 'artifacts/k/1')).mode & 0o777).toBe(0o400)
    chmodSync(folder, 0o755)
    openHome(folder).close()
    expect(statSync(folder).mode & 0o777).toBe(0o700)
  })

  it('may be moved as a whole: pointers stay good', async () => {
    const { folder, remove } = temporaryFolder()
    const home = openHome(join(folder, 'here'))
    const pointer = await directoryArtifactStore({ folder: home.artifacts, db: home.db, clock: systemClock }).put(
      'k/1',
      Buffer.from('one'),
      kept,
    )
    home.close()
    renameSync(join(folder, 'here'), join(folder, 'there'))
    const moved = openHome(join(folder, 'there'))
    expect(String(await directoryArtifactStore({ folder: moved.artifacts, db: moved.db, clock: systemClock }).get(pointer))).toBe('one')
    expect(pointer.uri).not.toContain(folder)
    moved.close()
    remove()
  })

  it('of a newer Waybill is left alone', async () => {
    const { first, folder } = make()
    first.db.exec('PRAGMA user_version = 99')
    expect(() => openHome(folder)).toThrow(/newer Waybill/)
  })

  it('of an older Waybill gains what it lacks, and keeps what it has', async () => {
    const { first, folder } = make()
    const group = (home: typeof first) => sqliteApprovalStore({ db: home.db, seal: aesTokenSeal(sealKey(first.keys)) })
    await group(first).open(approvalGroup('g1'), [])
    first.db.exec('DROP TABLE closed_groups; PRAGMA user_version = 3')
    const again = openHome(folder)
    await group(again).close('g1')
    expect(await group(again).untold()).toEqual([])
    expect(await group(again).group('g1')).toEqual(approvalGroup('g1'))
    again.close()
  })

  it('waits for each commit to be on disk', () => {
    const { first } = make()
    expect(first.db.prepare('PRAGMA synchronous').get()).toEqual({ synchronous: 2 })
    expect(first.db.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' })
  })

  it('does not let audit entries be changed or deleted', async () => {
    const { first } = make()
    await sqliteAuditLog(first).append(entryAfter(null))
    expect(() => first.db.exec("UPDATE audit_entries SET body = '{}'")).toThrow(/never change/)
    expect(() => first.db.exec('DELETE FROM audit_entries')).toThrow(/never deleted/)
    expect(await sqliteAuditLog(first).read('p1')).toEqual([entryAfter(null)])
  })

  it('says so when a record was changed behind its back', async () => {
    const { first, second } = make()
    await sqliteProjectStore(first).create(projectRecord('p1'), told(projectRecord('p1'), null))
    second.db.exec(`UPDATE projects SET body = '{"project_id":"p1"}'`)
    expect(await refusal(sqliteProjectStore(first).get('p1'))).toBe('EVIDENCE_INVALID')
    second.db.exec("UPDATE projects SET body = '{'")
    expect(await refusal(sqliteProjectStore(first).get('p1'))).toBe('EVIDENCE_INVALID')
  })

  it('holds no task token in the clear, and opens none that was moved', async () => {
    const { first, folder } = make()
    const store = sqliteApprovalStore({ db: first.db, seal: aesTokenSeal(sealKey(first.keys)) })
    const token = 'A-very-secret-task-token-0123456789'
    await store.open({ ...approvalGroup('g1'), task_token: token }, [approvalRequest('a1', 'g1')])
    await store.open(approvalGroup('g2'), [])
    first.db.exec('PRAGMA wal_checkpoint(TRUNCATE)')
    for (const file of readdirSync(folder).filter((name) => name.startsWith('waybill.sqlite')))
      expect(readFileSync(join(folder, file)).includes(token)).toBe(false)
    first.db.exec(
      "UPDATE approval_groups SET sealed_token = (SELECT sealed_token FROM approval_groups WHERE group_id = 'g1') WHERE group_id = 'g2'",
    )
    expect(await refusal(store.group('g2'))).toBe('EVIDENCE_INVALID')
    expect((await store.group('g1')).task_token).toBe(token)
  })
})

describe('artifact files', () => {
  it('are found out when their bytes change or they go', async () => {
    const { first, done } = temporaryHomes()
    const store = directoryArtifactStore({ folder: first.artifacts, db: first.db, clock: systemClock })
    const pointer = await store.put('k/1', Buffer.from('one'), kept)
    const path = join(first.artifacts, 'k/1')
    chmodSync(path, 0o600)
    writeFileSync(path, 'two')
    expect(await refusal(store.get(pointer))).toBe('EVIDENCE_INVALID')
    renameSync(path, `${path}.away`)
    expect(await refusal(store.get(pointer))).toBe('EVIDENCE_INVALID')
    await done()
  })

  it('stay inside the home, whatever the key', async () => {
    const { first, done } = temporaryHomes()
    const store = directoryArtifactStore({ folder: first.artifacts, db: first.db, clock: systemClock })
    const hostile = ['../x', '/etc/x', 'a/../../x', 'a//b', '', 'a/', '.hidden', 'a/.part', 'a\u0000b', 'a\\b', 'a b', 'x'.repeat(200), 'é']
    for (const key of hostile) {
      expect(await refusal(store.put(key, Buffer.from('x'), kept))).toBe('BAD_INPUT')
      expect(await refusal(store.find(key))).toBe('BAD_INPUT')
    }
    await store.put('a/b', Buffer.from('x'), kept)
    expect(await refusal(store.put('a', Buffer.from('x'), kept))).toBe('BAD_INPUT')
    expect(await refusal(store.put('a/b/c', Buffer.from('x'), kept))).toBe('BAD_INPUT')
    expect(readdirSync(first.artifacts, { recursive: true }).toSorted()).toEqual(['a', 'a/b'])
    await done()
  })

  it('left by a crash without a record do not block their key', async () => {
    const { first, done } = temporaryHomes()
    const store = directoryArtifactStore({ folder: first.artifacts, db: first.db, clock: systemClock })
    await store.put('k/other', Buffer.from('x'), kept)
    writeFileSync(join(first.artifacts, 'k/1'), 'half')
    expect(await store.find('k/1')).toBeNull()
    const pointer = await store.put('k/1', Buffer.from('whole'), kept)
    expect(String(await store.get(pointer))).toBe('whole')
    await done()
  })
})

describe('several processes on one home', () => {
  it('append to one chain without a gap', async () => {
    const { first, folder, done } = temporaryHomes()
    const children = Array.from({ length: 8 }, (_, n) => startChild('append.ts', folder, `writer${n}`, '6'))
    for (const child of children) expect(await child.ended).toMatchObject({ code: 0, stderr: '' })
    const entries = await sqliteAuditLog(first).read('p1')
    expect(chainFaults(entries)).toEqual([])
    for (let n = 0; n < 8; n++) expect(entries.filter((entry) => entry.actor === `writer${n}`)).toHaveLength(6)
    await done()
  })

  it('killed in the middle of writing lose nothing they were told was written, and leave the rest whole', async () => {
    const { first, folder, done } = temporaryHomes()
    const log = sqliteAuditLog(first)
    const store = directoryArtifactStore({ folder: first.artifacts, db: first.db, clock: systemClock })
    const told: ArtifactPointer[] = []
    for (let round = 0; round < 6; round++) {
      const children = ['a', 'b'].map((actor) => startChild('append.ts', folder, `${actor}${round}`, '100000'))
      await Promise.all(children.map((child) => child.line(() => child.lines.length > 3 + round * 2)))
      for (const child of children) child.process.kill('SIGKILL')
      for (const child of children) expect((await child.ended).signal).toBe('SIGKILL')
      for (const child of children) told.push(...child.lines.map((line) => JSON.parse(line)))
    }
    const entries = await log.read('p1')
    expect(chainFaults(entries)).toEqual([])
    const recorded = new Set(entries.map((entry) => entry.subject_sha256))
    for (const pointer of told) {
      expect(recorded.has(pointer.sha256)).toBe(true)
      expect((await store.get(pointer)).length).toBe(20_000)
    }
    for (const key of await store.list('')) {
      const pointer = await store.find(key)
      expect((await store.get(pointer!)).length).toBe(20_000)
      expect(existsSync(join(first.artifacts, key))).toBe(true)
    }
    expect(first.db.prepare('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' })
    await done()
  })
})
