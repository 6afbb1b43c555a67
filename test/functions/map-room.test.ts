/** A distributed Map answers with one `{}` a child: more children than that has room for are refused before anything is copied. */
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createHandler } from '../../functions/plan-chunks/handler.ts'
import { CHUNKS_PER_TASK, PAIRS_PER_TASK } from '../../layers/core/scale/estimate.ts'
import { LIMITS, mostItems } from '../../layers/core/scale/limits.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'
import type { Chunk } from '../../layers/core/schemas/work.ts'
import { type TestPlatform, testPlatform } from './support/platform.ts'
import { storeSpec, tell } from './support/story.ts'

let on: TestPlatform
let project: ProjectRecord
beforeAll(async () => {
  on = await testPlatform()
  const id = await storeSpec(on)
  on.failNext('plan-chunks', new Error('not yet'), 20)
  await tell(on, id)
  project = await on.ports.projects.get(id)
  on.systems.touched.length = 0
}, 120_000)
afterAll(() => on.close())

/** Plans the chunks of the project over a source whose first table is cut into `many`. */
function planned(many: number) {
  const { connectors } = on.ports
  const source: typeof connectors.source = async (...given) => {
    const opened = await connectors.source(...given)
    let first = true
    opened.chunks = async () => {
      const ranges = Array.from({ length: first ? many : 1 }, (_, at): Chunk['range'] => ({ from: String(at), to: String(at + 1) }))
      first = false
      return ranges.with(-1, { from: ranges.at(-1)!.from, to: null })
    }
    return opened
  }
  const handler = createHandler({ ...on.ports, connectors: { ...connectors, source } })
  return handler({ project_id: project.project_id, run_id: 'initial' })
}

it('has room for the answers of all children, with as much again to spare', () => {
  const answer = (children: number) => Buffer.byteLength(JSON.stringify(Array.from({ length: children }, () => ({}))))
  expect(2 * answer(mostItems(1))).toBeLessThanOrEqual(LIMITS.payload_bytes.allowed + 2)
  expect(2 * answer(mostItems(1) + 1)).toBeGreaterThan(LIMITS.payload_bytes.allowed)
  expect(mostItems(4)).toBe(4 * mostItems(1))
  const told = readFileSync(new URL('../../docs/architecture.md', import.meta.url), 'utf8')
  const [chunks, tables] = [CHUNKS_PER_TASK, PAIRS_PER_TASK].map((perBatch) => mostItems(perBatch).toLocaleString('en'))
  expect(told).toContain(`${chunks} chunks or ${tables} tables`)
})

it('chunks that no Map could answer for are refused with the batch size that would do, and nothing is copied', async () => {
  const most = mostItems(CHUNKS_PER_TASK)
  await expect(planned(most + 1)).rejects.toMatchObject({
    code: 'TOO_LARGE',
    message: expect.stringMatching(/nothing was copied\. Raise execution_config\.batch_size to \d+ rows or more/),
  })
  expect(on.systems.touched).toEqual([])
  expect((await on.ports.projects.get(project.project_id)).artifacts.chunks).toBeUndefined()
}, 60_000)
