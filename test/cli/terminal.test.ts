import { PassThrough } from 'node:stream'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { openTerminal, type Terminal } from '../../cli/terminal.ts'

let log: PassThrough
let terminal: Terminal
const written = () => String(log.read() ?? '')

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] })
  log = new PassThrough()
  terminal = openTerminal(log as unknown as NodeJS.WriteStream, log as unknown as NodeJS.WriteStream)
})
afterEach(() => void vi.useRealTimers())

it('writes no progress into a log of what is over within five seconds, nor more than a line in five seconds', () => {
  terminal.progress('1 row')
  vi.advanceTimersByTime(4000)
  terminal.progress('2 rows')
  expect(written()).toBe('')
  vi.advanceTimersByTime(1000)
  terminal.progress('3 rows')
  vi.advanceTimersByTime(4000)
  terminal.progress('4 rows')
  vi.advanceTimersByTime(2000)
  terminal.progress('5 rows')
  expect(written()).toBe('3 rows\n5 rows\n')
})

it('counts the five seconds anew for the next step', () => {
  terminal.progress('1 row')
  vi.advanceTimersByTime(6000)
  terminal.err('next')
  terminal.progress('of the next')
  expect(written()).toBe('next\n')
})
