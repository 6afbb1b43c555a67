import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openLocalPorts } from '../../functions/local.ts'
import { canonicalBytes, digestOf } from '../../layers/core/canonical-json.ts'
import { defaultPolicy } from '../../layers/core/rulebooks.ts'
import { created, projectRecord } from '../contracts/samples.ts'
import { planOf } from '../core/support/plan.ts'
import { waybill } from '../end-to-end/command.ts'
import { temporaryFolder } from '../local/temporary.ts'

let folder: string
let remove: () => void
beforeEach(() => {
  const temporary = temporaryFolder()
  folder = temporary.folder
  remove = temporary.remove
})
afterEach(() => remove())

function file(name: string, content: unknown): string {
  const path = join(folder, name)
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content, null, 2))
  return path
}

describe('waybill policy check', () => {
  it('says that a policy can be used, and what is weak in it', async () => {
    const good = await waybill(['policy', 'check', file('policy.json', defaultPolicy)])
    expect([good.code, good.err]).toEqual([0, ''])
    expect(good.out).toContain(digestOf(defaultPolicy))
    expect(good.out).toMatch(/retention_days +The evidence may be deleted after one day\./)
    const shipped = await waybill(['policy', 'default'])
    expect(JSON.parse(shipped.out)).toEqual(defaultPolicy)
  })

  it('names every fault with its place, as words and as JSON, and ends with 1; what cannot be read ends with 2', async () => {
    const bad = file('policy.yaml', JSON.stringify({ ...defaultPolicy, plan_ttl_hours: 0, clean_run: 1 }, null, 2))
    const words = await waybill(['policy', 'check', bad])
    expect(words.code).toBe(1)
    expect(words.out.trim().split('\n')).toEqual([
      expect.stringMatching(/^fault {2}line \d+, column \d+: plan_ttl_hours: /),
      expect.stringMatching(/^fault {2}line \d+, column \d+: clean_run: there is no such field/),
    ])
    const json = await waybill(['policy', 'check', bad, '--json'])
    expect([json.code, JSON.parse(json.out)]).toMatchObject([1, { usable: false, faults: { length: 2 } }])
    expect((await waybill(['policy', 'check', join(folder, 'none.json')])).code).toBe(2)
  })
})

describe('waybill policy diff and use', () => {
  it('tell what changes, what gets weaker, which plans become stale and how they go on; use puts it in force', async () => {
    const home = join(folder, 'home')
    const { ports, close } = await openLocalPorts({ home, env: {}, publicUrl: '', onLog: () => {} })
    const put = async (id: string) =>
      ports.artifacts.put(`projects/${id}/migration_plan/1.json`, canonicalBytes(planOf({ project_id: id })), {
        contentType: 'application/json',
        retainUntil: new Date(),
      })
    await created(ports, { ...projectRecord('p1'), state: 'PLANNED', artifacts: { migration_plan: await put('p1') } })
    await created(ports, { ...projectRecord('p2'), state: 'EXECUTED', artifacts: { migration_plan: await put('p2') } })
    close()
    const before = file('before.json', defaultPolicy)
    const next = { ...defaultPolicy, version: '2027.1', sampling: { ...defaultPolicy.sampling, full_required: false } }
    const after = file('after.json', next)

    const same = await waybill(['policy', 'diff', before, before, '--home', home])
    expect([same.code, same.out.trim()]).toEqual([0, 'The two policies say the same.'])
    const { code, out } = await waybill(['policy', 'diff', before, after, '--home', home])
    expect(code).toBe(0)
    expect(out).toContain('sampling.full_required from true to false')
    expect(out).toMatch(/weaker {2}sampling.full_required: .* can differ unseen/)
    expect(out).toMatch(/p1 +plan 1 +PLANNED +made under policy 2026\.1/)
    expect(out).not.toContain('p2')
    expect(out).toContain(`waybill policy use ${after} --home ${home}, then waybill resume`)

    const used = await waybill(['policy', 'use', after, '--home', home, '--json'])
    expect(JSON.parse(used.out)).toMatchObject({ version: '2027.1', sha256: digestOf(next), stale_plans: [{ project_id: 'p1' }] })
    expect(JSON.parse(readFileSync(join(home, 'policy.json'), 'utf8'))).toEqual(next)

    const refused = await waybill(['policy', 'use', file('bad.json', { ...next, version: '' }), '--home', home])
    expect(refused.code).toBe(2)
    expect(JSON.parse(readFileSync(join(home, 'policy.json'), 'utf8'))).toEqual(next)
  })
})
