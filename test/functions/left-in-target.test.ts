import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { endedExitCode, endedJson, endedProject, printEnded } from '../../cli/run/ended.ts'
import type { Terminal } from '../../cli/terminal.ts'
import { WaybillError } from '../../layers/core/errors.ts'
import { leavesTables } from '../../layers/core/left-in-target.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'
import { type TestPlatform, testPlatform } from './support/platform.ts'
import { PEOPLE, storeSpec, tell, yes } from './support/story.ts'

const LONG = 120_000
let on: TestPlatform
const answers: string[] = []

beforeAll(async () => {
  on = await testPlatform()
  const { http } = on
  on.http = async (request) => {
    const answer = await http(request)
    if (request.method === 'POST') answers.push(answer.body)
    return answer
  }
}, LONG)
afterAll(() => on.close())

const rejectedBy = async (email: string) =>
  (await tell(on, await storeSpec(on), (mail) => (mail.to === email ? { decision: 'reject', reason: 'No.' } : yes(mail)))).project!

async function shown(project: ProjectRecord): Promise<{ text: string; code: number; json: { left_in_target: unknown } }> {
  const lines: string[] = []
  const terminal = { out: (text: string) => lines.push(text), err: () => {}, paint: (_: unknown, text: string) => text }
  const ended = await endedProject(on.ports, project, null)
  printEnded(terminal as unknown as Terminal, ended)
  return { text: lines.join('\n'), code: endedExitCode(ended), json: endedJson(ended) as { left_in_target: unknown } }
}

async function whyNotCompared(project: ProjectRecord, name: string): Promise<string | undefined> {
  await on.runner.start('reconcile', name, { project_id: project.project_id, run_id: name })
  await on.runner.wait(name)
  return (await on.ports.audit.read(project.project_id)).findLast(({ action }) => action === 'RECONCILIATION_FAILED')?.details.reason
}

describe('a project that was rejected after its copy', { timeout: LONG }, () => {
  let project: ProjectRecord
  beforeAll(async () => {
    project = await rejectedBy(PEOPLE.qa_lead)
  }, LONG)

  it('says in the question, in the answer, in the terminal and as JSON that its rows stay, and how they are removed', async () => {
    const mail = on.mails.findLast(({ to }) => to === PEOPLE.qa_lead)!
    expect(mail.text).toContain('If you reject, the migration ends there; what was copied stays in the target until its owner removes it.')
    expect(answers.at(-1)).toContain('What was copied stays in the target, in the table public.item.')
    const { text, code, json } = await shown(project)
    expect(text).toContain('What was copied stays in the target, in the table public.item. Nothing removes it by itself.')
    expect(text).toContain('DROP TABLE IF EXISTS "public"."item";')
    expect([code, json.left_in_target]).toEqual([1, { says: expect.stringContaining('public.item'), sql: expect.any(String) }])
  })

  it('is not compared, and the reason is true', async () => {
    expect(await whyNotCompared(project, 'rejected-late')).toMatch(
      /^Not compared: the project is REJECTED, so nobody answers for it any more; what was copied stays/,
    )
  })
})

describe('a project that was rejected before its copy', { timeout: LONG }, () => {
  it('left nothing, and nobody is told of tables that are not there', async () => {
    const project = await rejectedBy(PEOPLE.security)
    expect(leavesTables(project)).toBe(false)
    expect(answers.at(-1)).not.toContain('stays in the target')
    expect((await shown(project)).text).not.toContain('DROP TABLE')
    expect(await whyNotCompared(project, 'rejected-early')).toBe(
      'Not compared: the project is REJECTED, and nothing was copied to the end before that.',
    )
  })
})

describe('a project that failed', { timeout: LONG }, () => {
  it('in its copy: what may lie there is named, and how it goes on', async () => {
    on.failNext('finish-target', new WaybillError('BAD_INPUT', 'A constraint does not hold.'), 4)
    const { project } = await tell(on, await storeSpec(on))
    const { text, code } = await shown(project!)
    expect([project?.state, code]).toEqual(['FAILED', 2])
    expect(text).toContain(
      'The copy did not end: the target may hold some of its tables, with some of the rows, out of the table public.item.',
    )
    expect(text).toContain(`"waybill resume ${project!.project_id}" goes on with it.`)
    expect(await whyNotCompared(project!, 'failed')).toContain('is FAILED and has to be taken up first: waybill resume')
  })

  it('because of somebody else’s table: nobody is told to drop it', async () => {
    on.failNext('prepare-target', new WaybillError('TARGET_NOT_EMPTY', 'The target already holds public.item.'), 4)
    const { project } = await tell(on, await storeSpec(on))
    const { text, json } = await shown(project!)
    expect(project?.failure?.code).toBe('TARGET_NOT_EMPTY')
    expect([text.includes('DROP TABLE'), json.left_in_target]).toEqual([false, null])
  })

  it('before its copy ended: what Waybill made is to be looked up, and no statement is given', async () => {
    on.failNext('prepare-target', new WaybillError('PLAN_NOT_AUTHORISED', 'It is not authorised.'), 4)
    const { project } = await tell(on, await storeSpec(on))
    const { text, json } = await shown(project!)
    expect(text).not.toContain('DROP TABLE')
    expect(json.left_in_target).toEqual({ says: expect.stringContaining('waybill.object'), sql: null })
  })

  it('in its roll-back, behind a proof that fails: that they differ is decided, and what is still open is said', async () => {
    on.systems.findings.push({ missing: 3 })
    on.failNext('roll-back-target', new WaybillError('CONFLICT', 'Others built on tables of this plan: rb.dep.'), 4)
    const id = await storeSpec(on)
    const failed = (await tell(on, id)).project!
    const { text, code } = await shown(failed)
    expect([failed.state, code]).toEqual(['FAILED', 1])
    expect(text).toContain('PROOF NOT VALID')
    expect(text).toContain('the roll-back is still open. See to what stopped it (CONFLICT), then "waybill resume')
    on.systems.findings.push({ missing: 3 })
    const again = (await tell(on, id)).project!
    expect([again.state, (await shown(again)).code]).toEqual(['ROLLED_BACK', 1])
    expect((await shown(again)).text).not.toContain('DROP TABLE')
  })

  it('behind a comparison that could not decide: not able to decide', async () => {
    on.systems.findings.push('inconclusive')
    const { project } = await tell(on, await storeSpec(on))
    expect([project?.state, (await shown(project!)).code]).toEqual(['FAILED', 2])
  })
})
