import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Progress } from '../../layers/core/ports.ts'
import type { WorkProgress } from '../../layers/core/schemas/progress.ts'
import { AT, LATER, type UnderTest } from './samples.ts'

export const progressRow = (over: Partial<WorkProgress> = {}): WorkProgress => ({
  project_id: 'p1',
  run_id: 'run-1',
  worker: 'copy-chunk',
  part: 'c1',
  items: '1',
  table_id: 'orders',
  rows: '9007199254740993',
  state: 'working',
  started_at: AT,
  beat_at: AT,
  ...over,
})

export function progressContract(name: string, make: () => Promise<UnderTest<Progress>>): void {
  describe(`progress: ${name}`, () => {
    let it_: UnderTest<Progress>
    beforeEach(async () => {
      it_ = await make()
    })
    afterEach(() => it_.done())

    it('is one row a task, the last one written, also for another process', async () => {
      await it_.store.report(progressRow())
      const last = progressRow({ state: 'done', rows: '9007199254740995', beat_at: LATER })
      await it_.store.report(last)
      expect(await it_.second.read('p1')).toEqual([last])
    })

    it('keeps tasks, workers, runs and projects apart', async () => {
      const rows = [progressRow(), progressRow({ part: 'c2' }), progressRow({ worker: 'hash-segments' }), progressRow({ run_id: 'run-2' })]
      for (const row of rows.toReversed()) await it_.store.report(row)
      await it_.store.report(progressRow({ project_id: 'p2' }))
      expect(await it_.second.read('p1')).toEqual(rows)
      expect(await it_.second.read('p3')).toEqual([])
    })

    it('stores nothing that is not a row', async () => {
      await expect(it_.store.report({ ...progressRow(), rows: 'many' })).rejects.toThrow()
      expect(await it_.store.read('p1')).toEqual([])
    })
  })
}
