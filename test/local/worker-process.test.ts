import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { runWorkerProcess } from '../../layers/local/worker-process.ts'
import { startChild } from './child-process.ts'
import { temporaryFolder } from './temporary.ts'

const entry = fileURLToPath(new URL('./children/worker.ts', import.meta.url))

async function work(task: unknown, signal = new AbortController().signal) {
  const progress: unknown[] = []
  const lines: string[] = []
  const outcome = await runWorkerProcess({
    entry,
    env: { WAYBILL_TASK: JSON.stringify(task) },
    signal,
    onProgress: (each) => progress.push(each),
    onLine: (line) => lines.push(line),
  }).then(
    () => 'done',
    (error) => ({ code: error.code, message: error.message }),
  )
  return { outcome, progress, lines }
}

/** Whether a process is alive; a zombie is not. */
function alive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return !existsSync(`/proc/${pid}/stat`) || !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}

async function until(test: () => boolean): Promise<void> {
  while (!test()) await sleep(10)
}

describe('a worker process', () => {
  it('gets exactly the environment it was given, and ends by itself', async () => {
    const { outcome, progress } = await work({ act: 'nothing' })
    expect(outcome).toBe('done')
    expect(progress).toEqual([{ env: ['WAYBILL_TASK'] }])
  })

  it('fails with its last words', async () => {
    expect(await work({ act: 'fail' })).toMatchObject({
      outcome: { code: 'CHUNK_INCOMPLETE', message: '3 of 4 rows' },
      lines: ['something on the way', '{"error":"CHUNK_INCOMPLETE","cause":"3 of 4 rows"}'],
    })
    expect((await work({ act: 'last words without line break' })).outcome).toEqual({ code: 'CHUNK_INCOMPLETE', message: 'cut' })
  })

  it('that ends without a known reason was interrupted, never done', async () => {
    expect((await work({ act: 'silent' })).outcome).toMatchObject({ code: 'INTERRUPTED', message: expect.stringContaining('exit code 3') })
    expect((await work({ act: 'strange' })).outcome).toMatchObject({ code: 'INTERRUPTED', message: expect.stringContaining('Weird') })
    expect((await work({ act: 'die' })).outcome).toMatchObject({ code: 'INTERRUPTED', message: expect.stringContaining('SIGKILL') })
  })

  it('is not started when the run was stopped before', async () => {
    const { outcome, progress } = await work({ act: 'nothing' }, AbortSignal.abort())
    expect(outcome).toMatchObject({ code: 'INTERRUPTED' })
    expect(progress).toEqual([])
  })

  it('gets SIGTERM first and is killed when it does not listen', async () => {
    const { folder, remove } = temporaryFolder()
    const file = join(folder, 'written')
    const stop = new AbortController()
    const working = work({ act: 'stubborn', file }, stop.signal)
    await until(() => existsSync(file))
    stop.abort()
    expect((await working).outcome).toMatchObject({ code: 'INTERRUPTED' })
    expect(readFileSync(file, 'utf8')).toContain('term\n')
    const size = statSync(file).size
    await sleep(100)
    expect(statSync(file).size).toBe(size)
    remove()
  })

  it('stops writing when its parent is killed', async () => {
    const { folder, remove } = temporaryFolder()
    const file = join(folder, 'written')
    const parent = startChild('parent.ts', file)
    const { pid } = JSON.parse(await parent.line((line) => line.includes('pid')))
    await until(() => existsSync(file))
    expect(alive(pid)).toBe(true)
    parent.process.kill('SIGKILL')
    await parent.ended
    await until(() => !alive(pid))
    const size = statSync(file).size
    await sleep(100)
    expect(statSync(file).size).toBe(size)
    remove()
  })
})
