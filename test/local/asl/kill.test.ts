import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { executionStore } from '../../../layers/local/asl/execution-store.ts'
import { openHome } from '../../../layers/local/home.ts'
import { startChild } from '../child-process.ts'
import { ITEMS, OUTPUT, tell } from '../children/story.ts'
import { temporaryFolder } from '../temporary.ts'

async function killedAt(point: number) {
  const { folder, remove } = temporaryFolder()
  const calls = join(folder, 'calls')
  writeFileSync(calls, '')
  const child = startChild('run-machine.ts', join(folder, 'home'), calls, String(point))
  const end = await child.ended
  return {
    end,
    lines: child.lines,
    home: join(folder, 'home'),
    calls,
    called: () =>
      readFileSync(calls, 'utf8')
        .split('\n')
        .filter((line) => line !== ''),
    remove,
  }
}

/** Calls whose states were left for good, by what is recorded. */
function finishedCalls(folder: string): string[] {
  const home = openHome(folder)
  const store = executionStore(home.db, () => new Date())
  const events = store.history('x1').filter((event) => event.type === 'StateExited')
  home.close()
  return events.flatMap(({ frame, state }) => {
    if (state === 'Item') return [`Item ${ITEMS[Number(frame.split('.').at(-1))]}`]
    if (state === 'Right') return ['Right {}']
    return state === 'Ask' ? [] : [String(state)]
  })
}

/** The story and the one nested in it, however often it was taken up. */
function executionsIn(folder: string): number {
  const home = openHome(folder)
  const found = home.db.prepare('SELECT count(*) AS n FROM executions').get()
  home.close()
  return Number(found?.n)
}

describe('kill -9', () => {
  it('before any commit: what was recorded is not run again, the rest is, and the end is the same', async () => {
    const whole = await killedAt(0)
    expect(whole.end).toMatchObject({ code: 0, stderr: '' })
    const { commits, ended } = JSON.parse(whole.lines[0]!)
    expect(ended).toMatchObject({ status: 'SUCCEEDED', output: OUTPUT })
    const usual = whole.called().map((call) => call.replace(/^Ask .*/, 'Ask'))
    whole.remove()
    expect(commits).toBeGreaterThan(30)

    // Commit 1 makes the schema. Of the answer's own commit there is none: completing a token is one statement.
    const points = Array.from({ length: commits - 1 }, (_, n) => n + 2)
    let killed = 0
    const lane = async () => {
      for (let point = points.shift(); point !== undefined; point = points.shift()) {
        const at = await killedAt(point)
        if (at.end.signal !== 'SIGKILL') {
          // How often the interpreter looked for its answer differs from run to run; the last points may not be reached.
          expect(at.end).toMatchObject({ code: 0 })
          at.remove()
          continue
        }
        killed++
        const before = at.called()
        const finished = existsSync(at.home) ? finishedCalls(at.home) : []
        const end = await tell(at.home, at.calls, point === 2 ? 'start' : 'resume')
        expect({ point, status: end.status, output: end.output }).toEqual({ point, status: 'SUCCEEDED', output: OUTPUT })
        const after = at.called().slice(before.length)
        for (const call of finished) expect({ point, call, again: after.includes(call) }).toEqual({ point, call, again: false })
        // At least once, and at most one attempt more for each task in flight: two in the Parallel, one elsewhere.
        const all = at.called().map((call) => call.replace(/^Ask .*/, 'Ask'))
        for (const call of usual) expect(all).toContain(call)
        expect(all.length - usual.length).toBeLessThanOrEqual(2)
        expect(new Set(at.called().filter((call) => call.startsWith('Ask '))).size).toBe(1)
        expect({ point, executions: executionsIn(at.home) }).toEqual({ point, executions: 2 })
        at.remove()
      }
    }
    await Promise.all([lane(), lane()])
    expect(killed).toBeGreaterThan(commits - 10)
  }, 180_000)
})
