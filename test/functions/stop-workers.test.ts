import { describe, expect, it } from 'vitest'
import { createHandler } from '../../functions/stop-workers/handler.ts'
import { WaybillError } from '../../layers/core/errors.ts'
import type { Workers } from '../../layers/core/ports.ts'
import { refusal } from '../contracts/samples.ts'
import { type TestPlatform, testPlatform } from './support/platform.ts'
import { storeSpec, tell } from './support/story.ts'

/** Workers that go on although their state has ended, as a container does. */
function orphans(ids: string[]) {
  const asked: string[] = []
  const workers: Workers = {
    async running(projectId, runId) {
      asked.push(`${projectId} ${runId}`)
      return [...ids]
    },
    async stop(worker) {
      ids.splice(ids.indexOf(worker), 1)
    },
  }
  return { workers, asked, ids }
}

const actions = async (on: TestPlatform, id: string) => (await on.ports.audit.read(id)).map(({ action }) => action)

describe('a run that failed', () => {
  it('leaves no worker behind: they are stopped, and entered as stopped, before the failure is recorded', async () => {
    const on = await testPlatform()
    const left = orphans(['t1', 't2'])
    on.ports.workers = left.workers
    const id = await storeSpec(on)
    on.failNext('copy-chunk', new TypeError('broken'), 8)
    const { project } = await tell(on, id)
    expect([project?.state, left.ids]).toEqual(['FAILED', []])
    const entry = (await on.ports.audit.read(id)).find(({ action }) => action === 'WORKERS_STOPPED')!
    expect([entry.actor, entry.details.workers, left.asked]).toEqual(['waybill/stop-workers', '2', [`${id} ${entry.details.run_id}`]])
    expect((await actions(on, id)).slice(-2)).toEqual(['WORKERS_STOPPED', 'RUN_FAILED'])
    await on.close()
  })

  it('of a reconciliation stops the workers of that reconciliation', async () => {
    const on = await testPlatform()
    const left = orphans([])
    on.ports.workers = left.workers
    const id = await storeSpec(on)
    on.failNext('run-checks', new TypeError('broken'), 8)
    await tell(on, id)
    expect(left.asked.length).toBeGreaterThan(0)
    for (const asked of left.asked) expect(asked).toMatch(/-r\d+$/)
    // Nothing was running: nothing is said to have been stopped.
    expect(await actions(on, id)).not.toContain('WORKERS_STOPPED')
    await on.close()
  })

  it('says so when its workers could not be stopped, and why it failed all the same', async () => {
    const on = await testPlatform()
    const id = await storeSpec(on)
    on.failNext('prepare-target', new WaybillError('TARGET_NOT_EMPTY', 'The table was altered.'), 4)
    on.failNext('stop-workers', new TypeError('gone'), 2)
    const { project } = await tell(on, id)
    expect(project?.failure?.code).toBe('TARGET_NOT_EMPTY')
    expect(project?.failure?.reason).toMatch(/altered.*workers could not be stopped and may still be running/)
    await on.close()
  })

  it('is stopped as far as it can be when a stop fails, and is tried again', async () => {
    const on = await testPlatform()
    const left = orphans(['t1', 't2'])
    let failed = false
    const stop: Workers['stop'] = async (worker, reason) => {
      if (worker === 't2' && !failed) {
        failed = true
        throw new WaybillError('CONNECTION_FAILED', 'Stopping a worker: AWS did not answer.')
      }
      await left.workers.stop(worker, reason)
    }
    const handler = createHandler({ ...on.ports, workers: { ...left.workers, stop } })
    const event = { project_id: 'p1', run_id: 'r1' }
    expect(await refusal(handler(event))).toBe('CONNECTION_FAILED')
    expect(left.ids).toEqual(['t2'])
    expect(await handler(event)).toEqual(event)
    expect(left.ids).toEqual([])
    await on.close()
  })
})

describe('a container that cannot be started', () => {
  it.each(['AmazonECS.Unknown', 'ECS.AmazonECSException'])('is waited for (%s)', async (name) => {
    const on = await testPlatform()
    const id = await storeSpec(on)
    for (const worker of ['prepare-target', 'copy-chunk', 'hash-segments'])
      on.failNext(worker, Object.assign(new Error('no room'), { name }), 8)
    expect((await tell(on, id)).project?.state).toBe('EVIDENCE_COMPLETE')
    await on.close()
  })

  it('is given up on after that', async () => {
    const on = await testPlatform()
    const id = await storeSpec(on)
    on.failNext('prepare-target', Object.assign(new Error('no room'), { name: 'AmazonECS.Unknown' }), 9)
    expect((await tell(on, id)).project?.state).toBe('FAILED')
    await on.close()
  })
})
