import { describe, expect, it } from 'vitest'
import { sqliteProgress } from '../../layers/local/progress.ts'
import { localWorkers } from '../../layers/local/workers.ts'
import { progressContract, progressRow } from '../contracts/progress.ts'
import { workersContract } from '../contracts/workers.ts'
import { temporaryHomes } from './temporary.ts'

progressContract('SQLite', async () => {
  const { first, second, done } = temporaryHomes()
  return { store: sqliteProgress(first), second: sqliteProgress(second), done }
})

workersContract('processes of this process', async () => {
  const workers = localWorkers()
  const over = new AbortController()
  const all: Promise<void>[] = []
  const forEver = (signal: AbortSignal) => new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
  return {
    workers: { ...workers, stop: async (...given) => void (await Promise.all([workers.stop(...given), new Promise(setImmediate)])) },
    async start(task) {
      all.push(workers.run(task, over.signal, forEver))
    },
    async done() {
      over.abort()
      await Promise.all(all)
    },
  }
})

describe('a home', () => {
  it('forgets progress of which nothing was heard for 30 days', async () => {
    const { first, done } = temporaryHomes()
    const progress = sqliteProgress(first)
    await progress.report(progressRow({ part: 'old', beat_at: '2026-03-01T10:00:00.000Z' }))
    await progress.report(progressRow({ part: 'new', beat_at: '2026-03-31T09:59:59.000Z' }))
    expect((await progress.read('p1')).map(({ part }) => part)).toEqual(['new', 'old'])
    await progress.report(progressRow({ part: 'new', beat_at: '2026-03-31T10:00:00.001Z' }))
    expect((await progress.read('p1')).map(({ part }) => part)).toEqual(['new'])
    await done()
  })
})
