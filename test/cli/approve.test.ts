import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openLocalPorts } from '../../functions/local.ts'
import { sha256 } from '../../layers/core/digest.ts'
import { readApproval } from '../../layers/core/flow/statements.ts'
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
  const plan = await ports.artifacts.put('projects/p1/migration_plan/1.json', Buffer.from('{}'), {
    contentType: 'application/json',
    retainUntil: new Date(),
  })
  await created(ports, { ...projectRecord('p1'), state: 'PLAN_DRAFTED', artifacts: { migration_plan: plan } })
  await created(ports, { ...projectRecord('p2'), state: 'EXECUTED', artifacts: { migration_plan: plan } })
  close()
})
afterEach(() => remove())

describe('waybill approve --withdraw', () => {
  it('signs the author’s withdrawal of exactly this plan, and says so', async () => {
    const done = await waybill(['approve', '--home', home, '--withdraw', 'p1', '--reason', 'The business changed its mind.'])
    expect([done.code, done.err]).toEqual([0, ''])
    expect(done.out).toContain('The plan of p1 is withdrawn')
    const { ports, close } = await openLocalPorts({ home, env: {}, publicUrl: '', onLog: () => {} })
    const [key] = await ports.artifacts.list('projects/p1/approvals/')
    const said = readApproval(await ports.artifacts.get((await ports.artifacts.find(key!))!), ports.trust)
    expect(said).toMatchObject({
      decision: 'REJECTED',
      approver: 'ada@example.org',
      identified_by: 'local-command',
      subject_sha256: sha256('{}'),
    })
    expect((await ports.audit.read('p1')).map(({ action }) => action)).toEqual(['PROJECT_CHANGED', 'PLAN_WITHDRAWN'])
    close()
    const again = await waybill(['approve', '--home', home, '--withdraw', 'p1', '--reason', 'x', '--json'])
    expect(JSON.parse(again.out)).toEqual({ project_id: 'p1', withdrawn: true, transition: 'PLAN_DRAFTED->PLANNED' })
  })

  it('refuses without a reason, for what is executed, and for what is not there', async () => {
    for (const [project, more, says] of [
      ['p1', [], /--reason/],
      ['p1', ['--reason', ' '], /--reason/],
      ['p2', ['--reason', 'late'], /is EXECUTED/],
      ['p9', ['--reason', 'x'], /p9/],
    ] as const) {
      const refused = await waybill(['approve', '--home', home, '--withdraw', project, ...more])
      expect([project, refused.code, says.test(refused.err)]).toEqual([project, 2, true])
    }
  })
})
