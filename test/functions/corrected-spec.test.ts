import { afterEach, beforeEach, expect, it } from 'vitest'
import { WaybillError } from '../../layers/core/errors.ts'
import { specKey } from '../../layers/core/flow/numbered-spec.ts'
import type { Mail } from '../../layers/core/ports.ts'
import { memoryReader, verifyPack } from '../../layers/core/verifier/index.ts'
import { type TestPlatform, testPlatform } from './support/platform.ts'
import { formOf, getRequest, linkIn, postRequest, specText, storeSpec, tell, yes } from './support/story.ts'
import { storedPack } from './support/written-pack.ts'

const LONG = 120_000
let on: TestPlatform
beforeEach(async () => {
  on = await testPlatform()
})
afterEach(() => on.close())

const isQuestion = (mail: Mail) => mail.subject.startsWith('Please answer')

async function store(id: string, number: number, text: string): Promise<void> {
  await on.ports.artifacts.put(specKey(id, number), Buffer.from(text), { contentType: 'application/json', retainUntil: new Date() })
}

/** The person asked says that the spec has to change. */
async function revise(mail: Mail): Promise<void> {
  const link = linkIn(mail)
  const fields = formOf((await on.http(getRequest(link))).body)
  for (const name of fields.keys()) if (fields.get(name) === 'accept') fields.set(name, 'revise-spec')
  fields.set('decision', 'answer')
  expect([...fields.values()]).toContain('revise-spec')
  expect((await on.http(postRequest(link, fields))).status).toBe(200)
}

async function untilRevised(id: string) {
  return tell(on, id, (mail) => {
    if (!isQuestion(mail)) return yes(mail)
    void revise(mail)
    return null
  })
}

it('a spec that a person sent back is corrected under the same id, and nothing of the old one counts', { timeout: LONG }, async () => {
  const id = await storeSpec(on, { ask: true })
  // The outcome is not noted down as told: a process that died there leaves it so, and it is told again later.
  const { told } = on.ports.approvals
  on.ports.approvals.told = async () => {
    throw new Error('died')
  }
  const first = await untilRevised(id)
  on.ports.approvals.told = told
  expect([first.project?.state, first.project?.failure?.code]).toEqual(['FAILED', 'SPEC_INVALID'])
  expect(first.project?.failure?.reason).toMatch(/correct the spec and run it again under the same migration_id/)
  const old = first.project!.artifacts

  // Another title changes no mapping: the very same question is asked, of another spec.
  await store(id, 2, specText({ ask: true, title: 'Another title' }))
  const asked: string[] = []
  const { project } = await tell(on, id, (mail) => {
    asked.push(mail.subject)
    return yes(mail)
  })
  expect(asked[0]).toMatch(/^Please answer/)
  expect([project?.state, project?.title, project?.plan_version]).toEqual(['EVIDENCE_COMPLETE', 'Another title', 1])
  expect(project!.artifacts.schema_mapping?.sha256).not.toBe(old.schema_mapping?.sha256)
  expect(project!.artifacts.manual_decisions?.sha256).not.toBe(old.manual_decisions?.sha256)
  const log = await on.ports.audit.read(id)
  const corrected = log.filter(({ action }) => action === 'SPEC_CORRECTED')
  // The old answer, told once more, is entered once: under its own spec.
  const answers = log.filter(({ action }) => action === 'DECISIONS_ANSWERED')
  expect(answers.map(({ seq }) => seq > corrected[0]!.seq)).toEqual([false, true])
  expect(corrected.map(({ subject_sha256, details }) => [subject_sha256, details])).toEqual([
    [
      project!.artifacts.spec?.sha256,
      expect.objectContaining({ replaces_sha256: old.spec?.sha256, spec: '2', after: 'SPEC_INVALID', from: 'FAILED', to: 'CREATED' }),
    ],
  ])
  const { verified, faults } = await verifyPack(memoryReader(await storedPack(on, id)))
  expect([verified, faults]).toEqual([true, []])
})

it('only the artifacts of the corrected spec stay with the project', { timeout: LONG }, async () => {
  const id = await storeSpec(on, { ask: true })
  const { project } = await untilRevised(id)
  expect(Object.keys(project!.artifacts)).toContain('decision_answers')
  await store(id, 2, specText())
  expect(await on.call('create-project', { project_id: id, run_id: 'retry-1' })).toMatchObject({ decision: 'CREATED' })
  const anew = await on.ports.projects.get(id)
  expect(Object.keys(anew.artifacts).toSorted()).toEqual(['archetype', 'policy', 'spec'])
  // A run that died right after it is the same run again.
  expect(await on.call('create-project', { project_id: id, run_id: 'retry-1' })).toMatchObject({ decision: 'CREATED' })
  expect((await on.ports.projects.get(id)).revision).toBe(anew.revision)
})

it('once a plan was signed, a spec that somebody stores beside the first changes nothing', { timeout: LONG }, async () => {
  const id = await storeSpec(on)
  on.failNext('plan-chunks', Object.assign(new Error('no more room'), { name: 'TOO_LARGE' }), 10)
  const first = await tell(on, id)
  expect([first.project?.state, first.project?.failed_from, first.project?.plan_version]).toEqual(['FAILED', 'PLANNED', 1])
  await store(id, 2, specText({ title: 'Smuggled in' }))
  expect(await on.call('create-project', { project_id: id, run_id: 'retry-1' })).toMatchObject({ decision: 'PLANNED' })
  expect((await on.ports.projects.get(id)).artifacts.spec).toEqual(first.project?.artifacts.spec)
})

it.each(['SPEC_INVALID', 'BAD_INPUT', 'NOT_FOUND', 'TARGET_NOT_EMPTY'] as const)(
  '%s is not tried again: the spec stays wrong',
  {
    timeout: LONG,
  },
  async (code) => {
    const id = await storeSpec(on)
    on.failNext('discover', new WaybillError(code, 'Correct the name.'), 1)
    const { project } = await tell(on, id)
    expect([project?.state, project?.failure?.code]).toEqual(['FAILED', code])
  },
)
