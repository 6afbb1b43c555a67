import { describe, expect, it } from 'vitest'
import {
  readTolerance,
  requestedTolerances,
  toleranceFault,
  toleranceInWords,
  toleranceText,
} from '../../../layers/core/tolerance/request.ts'

describe('a tolerance as a person writes it', () => {
  it.each([
    ['0.01', 'absolute', '0.01', '0.01'],
    ['0.010', 'absolute', '0.01', '0.01'],
    ['12', 'absolute', '12', '12'],
    ['120', 'absolute', '120', '120'],
    ['0.1%', 'relative', '0.001', '0.1 %'],
    ['1%', 'relative', '0.01', '1 %'],
    ['25%', 'relative', '0.25', '25 %'],
    ['0.00005%', 'relative', '0.0000005', '0.00005 %'],
    ['1ms', 'time', '1', '1 ms'],
    ['500us', 'time', '0.5', '0.5 ms'],
    ['1us', 'time', '0.001', '0.001 ms'],
    ['2s', 'time', '2000', '2000 ms'],
    ['1.5s', 'time', '1500', '1500 ms'],
  ])('%s is %s %s', (text, kind, value, words) => {
    const tolerance = readTolerance('c', text)
    expect(tolerance).toEqual({ column: 'c', kind, value })
    expect(toleranceFault(tolerance!)).toBeNull()
    expect(toleranceInWords(tolerance!)).toBe(words)
    expect(toleranceText.safeParse(text).success).toBe(true)
  })
  it.each(['', ' 1', '1 ms', '-1', '+1', '1e-3', '.5', '5.', '01', '0x1', '1ns', '1h', '%', 'NaN', '٠.١', '1\n', '1,5', '9'.repeat(40)])(
    '%j is none',
    (text) => {
      expect(readTolerance('c', text)).toBeNull()
      expect(toleranceText.safeParse(text).success).toBe(false)
      expect(() => requestedTolerances({ c: text })).toThrow(expect.objectContaining({ code: 'BAD_INPUT' }))
    },
  )
  it.each([
    ['absolute', '0', /tolerates nothing/],
    ['absolute', '0.00', /tolerates nothing/],
    ['absolute', '-1', /plain decimal/],
    ['absolute', '1e3', /plain decimal/],
    ['absolute', '1'.repeat(65), /plain decimal/],
    ['relative', '1', /100 % or more/],
    ['relative', '1.5', /100 % or more/],
    ['time', '0.0001', /finer than a microsecond/],
  ] as const)('%s %s cannot be held to', (kind, value, why) => {
    expect(toleranceFault({ column: 'c', kind, value })).toMatch(why)
  })
  it('has one order, whatever the order of the request', () => {
    expect(requestedTolerances({ b: '1', a: '2' })).toEqual(requestedTolerances({ a: '2', b: '1' }))
    expect(requestedTolerances(undefined)).toEqual([])
  })
})
