import { describe, expect, it } from 'vitest'
import type { Workers } from '../../layers/core/ports.ts'
import type { WorkerTask } from '../../layers/core/schemas/work.ts'

export type WorkersUnderTest = {
  workers: Workers
  /** Starts a worker that would run for ever. */
  start(task: WorkerTask): Promise<void>
  done(): Promise<void>
}

const task = (project_id: string, run_id: string, id: string): WorkerTask => ({
  worker: 'copy-chunk',
  project_id,
  run_id,
  items: { uri: 's3://b/k', version_id: 'v', sha256: 'a'.repeat(64) },
  ids: [id],
})

export function workersContract(name: string, make: () => Promise<WorkersUnderTest>): void {
  describe(`workers: ${name}`, () => {
    it('are found by project and run, and stopped one by one', async () => {
      const { workers, start, done } = await make()
      try {
        expect(await workers.running('p1', 'run-1')).toEqual([])
        for (const id of ['c1', 'c2']) await start(task('p1', 'run-1', id))
        await start(task('p1', 'run-2', 'c1'))
        await start(task('p10', 'run-1', 'c1'))
        const found = await workers.running('p1', 'run-1')
        expect(new Set(found).size).toBe(2)
        await workers.stop(found[0]!, 'The run failed.')
        expect(await workers.running('p1', 'run-1')).toEqual([found[1]])
        await workers.stop(found[1]!, `The run failed: ${'x'.repeat(1000)}`)
        expect(await workers.running('p1', 'run-1')).toEqual([])
        expect(await workers.running('p1', 'run-2')).toHaveLength(1)
        expect(await workers.running('p10', 'run-1')).toHaveLength(1)
      } finally {
        await done()
      }
    })

    it('that have ended are stopped already', async () => {
      const { workers, start, done } = await make()
      try {
        await start(task('p1', 'run-1', 'c1'))
        const [found] = await workers.running('p1', 'run-1')
        await workers.stop(found!, 'The run failed.')
        await workers.stop(found!, 'The run failed.')
        expect(await workers.running('p1', 'run-1')).toEqual([])
      } finally {
        await done()
      }
    })
  })
}
