import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { questionTeller } from '../../cli/run/questions.ts'
import { openLocalPorts } from '../../functions/local.ts'
import { putJson } from '../../layers/core/artifacts.ts'
import type { Ports } from '../../layers/core/ports.ts'
import type { ApprovalRequest } from '../../layers/core/schemas/governance.ts'
import { approvalGroup, approvalRequest, created, decided, projectRecord, told } from '../contracts/samples.ts'
import { temporaryFolder } from '../local/temporary.ts'

const IN_AN_HOUR = () => new Date(Date.now() + 3_600_000).toISOString()

let ports: Ports
let close: () => void
beforeEach(async () => {
  const { folder, remove } = temporaryFolder()
  const opened = await openLocalPorts({ home: join(folder, 'home'), env: {}, publicUrl: '', onLog: () => {} })
  ports = opened.ports
  close = () => {
    opened.close()
    remove()
  }
  await created(ports, projectRecord('p1'))
})
afterEach(() => close())

/** A mapping with these questions is proposed. */
async function proposed(mapping: string, ids: readonly string[]): Promise<void> {
  const choices = ['accept', 'text'].map((choice) => ({ choice, label: choice, consequence: 'c' }))
  const decisions = ids.map((id) => ({ decision_id: id, where: 'w', question: `What of ${id}?`, why: 'y', choices }))
  const document = { schema: 'waybill/manual-decisions/v1', project_id: 'p1', mapping_sha256: mapping.repeat(64), decisions }
  const pointer = await putJson(ports.artifacts, `projects/p1/manual_decisions/${mapping}.json`, document, new Date())
  const { revision, artifacts, ...record } = await ports.projects.get('p1')
  const next = { ...record, revision: revision + 1, artifacts: { ...artifacts, manual_decisions: pointer } }
  expect(await ports.projects.update(next, told(next, await ports.audit.head('p1')))).toBe('WRITTEN')
}

/** Its questions are sent to somebody. */
async function asked(id: string, expires = IN_AN_HOUR()): Promise<ApprovalRequest> {
  const subject = (await ports.projects.get('p1')).artifacts.manual_decisions!
  const request = { ...approvalRequest(id, `g-${id}`), kind: 'decisions' as const, transition: null, subject, expires_at: expires }
  await ports.approvals.open({ ...approvalGroup(`g-${id}`), expires_at: expires }, [request])
  return request
}

const answered = (request: ApprovalRequest) => ports.approvals.decide({ ...decided(request), decision: 'ANSWERED' })
const linesOf = (...ids: string[]) => ids.flatMap((id) => [`  ${id}: accept | text`, `    What of ${id}?`])

it('tells each open question once, nothing that is answered, and those of another mapping again', async () => {
  const tell = questionTeller(ports)
  expect(await tell('p1')).toBe(null)
  await proposed('a', ['q1', 'q2'])
  expect(await tell('p1')).toBe(null)
  const first = await asked('a1')
  expect(await tell('p1')).toEqual(linesOf('q1', 'q2'))
  expect(await tell('p1')).toEqual([])
  await answered(first)
  expect(await tell('p1')).toBe(null)

  await proposed('b', ['q2', 'q3'])
  expect(await tell('p1')).toBe(null)
  await asked('a2')
  expect(await tell('p1')).toEqual(linesOf('q2', 'q3'))
  // Nobody answered in time: the same is asked again, and was told.
  await asked('a3')
  expect(await tell('p1')).toEqual([])
})

it('tells no question whose answer was given, or whose time is over', async () => {
  await proposed('a', ['q1'])
  await answered(await asked('a1'))
  await asked('a2', new Date(Date.now() - 1000).toISOString())
  expect(await questionTeller(ports)('p1')).toBe(null)
  await asked('a3')
  expect(await questionTeller(ports)('p1')).toEqual(linesOf('q1'))
})

it('counts what does not fit on a screen', async () => {
  await proposed(
    'a',
    Array.from({ length: 23 }, (_, n) => `q${n}`),
  )
  await asked('a1')
  expect((await questionTeller(ports)('p1'))?.slice(-2)).toEqual(['    What of q19?', '  … and 3 more on the page'])
})
