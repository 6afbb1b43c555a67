import { expect, it, vi } from 'vitest'
import { CompareProgress } from '../../cli/compare/progress.ts'
import type { Item } from '../../cli/compare/run.ts'
import type { Terminal } from '../../cli/terminal.ts'

it('counts the tables that the result counts, also those that cannot be read or were compared before', () => {
  vi.useFakeTimers({ toFake: ['performance'] })
  try {
    const shown: string[] = []
    const terminal = { progress: (text: string) => void shown.push(text) } as unknown as Terminal
    const item = (name: string) =>
      ({
        pair: { source: { schema: 's', name, estimated_rows: '10' }, target: { schema: 's', name, estimated_rows: '10' } },
      }) as unknown as Item
    const [first, last] = [item('first'), item('last')]
    const progress = new CompareProgress(terminal)
    progress.start([first, last], 3)
    vi.advanceTimersByTime(2000)
    progress.rows(first, 5n)
    progress.finished(first, 10n)
    progress.rows(last, 5n)
    expect(shown.map((line) => line.split(' · ')[0])).toEqual(['4 of 5 tables', '5 of 5 tables'])
  } finally {
    vi.useRealTimers()
  }
})
