import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openLocalPorts } from '../../functions/local.ts'
import { created, projectRecord } from '../contracts/samples.ts'
import { waybill } from '../end-to-end/command.ts'
import { temporaryFolder } from '../local/temporary.ts'

let home: string
let remove: () => void
beforeEach(async () => {
  const temporary = temporaryFolder()
  home = join(temporary.folder, 'home')
  remove = temporary.remove
  const { ports, close } = await openLocalPorts({ home, env: {}, publicUrl: '', onLog: () => {} })
  for (const id of ['p1', 'p2', 'p3', 'p4']) await created(ports, { ...projectRecord(id), state: 'REJECTED', title: `Title of ${id}` })
  // What this record names was never stored.
  const proven = { uri: 'artifact:gone', version_id: 'v1', sha256: 'a'.repeat(64) }
  await created(ports, { ...projectRecord('p5'), state: 'EVIDENCE_COMPLETE', artifacts: { outcome: proven } })
  close()
  const db = new DatabaseSync(join(home, 'waybill.sqlite'))
  db.exec(`UPDATE projects SET body = '{"\u001b[2J' WHERE project_id = 'p2'`)
  db.close()
})
afterEach(() => remove())

const ran = (...args: string[]) => waybill([...args, '--home', home])
const SPOILED = 'The record of project "p2" in the home is not JSON any more'

describe('one record that somebody spoiled', { timeout: 180_000 }, () => {
  it('is a row of its own in status, says what to do, and hides no other', async () => {
    const shown = await ran('status')
    expect([shown.code, shown.err]).toEqual([2, ''])
    expect(shown.out).toMatch(/^p1 +REJECTED .*Title of p1$/m)
    expect(shown.out).toMatch(/^p2 +cannot be read$/m)
    expect(shown.out).toMatch(/^p3 +REJECTED .*Title of p3$/m)
    expect(shown.out).toMatch(/^p5 +EVIDENCE_COMPLETE +cannot be read$/m)
    expect(shown.out).toMatch(/^ {2}p2: The record .*audit verify p2"/m)
    expect(shown.out).toMatch(/^ {2}p5: The artifact gone is not in this home/m)
    const rows = JSON.parse((await ran('status', '--json')).out) as {
      project_id: string
      state: string | null
      unreadable: string | null
    }[]
    expect(rows.map(({ project_id, state }) => [project_id, state])).toEqual([
      ['p1', 'REJECTED'],
      ['p2', null],
      ['p3', 'REJECTED'],
      ['p4', 'REJECTED'],
      ['p5', 'EVIDENCE_COMPLETE'],
    ])
    expect(rows[0]!.unreadable).toBe(null)
    expect(rows[1]).toMatchObject({ unreadable: expect.stringContaining(SPOILED), remedy: expect.stringContaining('docs/runbook.md') })
  })

  it('stops no command that is about another project, and each that is about it', async () => {
    for (const [command, ...more] of [['status'], ['report', '--json'], ['audit', 'show'], ['resume']] as const) {
      const [verb, sub] = command === 'audit' ? [command, ...more] : [command]
      const other = await ran(...[verb, sub ?? ''].filter(Boolean), 'p1', ...(command === 'report' ? more : []))
      expect([command, other.err.includes(SPOILED), other.out.includes(SPOILED)]).toEqual([command, false, false])
      expect([command, other.code]).toEqual([command, command === 'report' ? 1 : 0])
      const own = await ran(...[verb, sub ?? ''].filter(Boolean), 'p2')
      expect([command, own.code, own.out.includes(SPOILED) || own.err.includes(SPOILED)]).toEqual([command, 2, true])
    }
    expect((await ran('audit', 'verify', 'p1')).out).not.toContain(SPOILED)
  })

  it('is named by audit show and audit verify beside the others', async () => {
    const shown = await ran('audit', 'show')
    expect([shown.code, shown.out]).toEqual([2, expect.stringContaining(SPOILED)])
    for (const id of ['p1', 'p2', 'p3', 'p4', 'p5']) expect(shown.out).toMatch(new RegExp(`^${id} {2}1 entries`, 'm'))
    const logs = JSON.parse((await ran('audit', 'show', '--json')).out) as { project: string; entries: unknown[]; faults: string[] }[]
    expect(logs.map(({ project, entries, faults }) => [project, entries.length, faults.length])).toEqual(
      ['p1', 'p2', 'p3', 'p4', 'p5'].map((id) => [id, 1, id === 'p2' ? 1 : 0]),
    )
    const verified = await ran('audit', 'verify')
    expect([verified.code, verified.out]).toEqual([
      1,
      expect.stringMatching(/^BROKEN {2}p1: [\s\S]*^BROKEN {2}p2: [\s\S]*^BROKEN {2}p3: /m),
    ])
    expect(verified.out).toContain(SPOILED)
  })

  it('is said when all are taken up, and when a policy is put in force', async () => {
    const resumed = await ran('resume')
    expect([resumed.code, resumed.out, resumed.err]).toEqual([2, 'Nothing else is unfinished.\n', expect.stringContaining(SPOILED)])
    expect(JSON.parse((await ran('resume', '--json')).out)).toMatchObject([{ project_id: 'p2', state: null }])
    expect((await ran('approve')).out).toBe('Nothing waits for a decision.\n')
  })
})
