import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ANY_TIME, isOffPeak, nextNight, nextOffPeak, nightOf, readNightSettings } from '../../../layers/core/nights/off-peak.ts'
import type { NightSettings } from '../../../layers/core/schemas/night.ts'

const berlin: NightSettings = { time_zone: 'Europe/Berlin', off_peak: { from: '22:00', to: '06:00' } }
const at = (text: string) => new Date(text)

const ZONES = ['Europe/Berlin', 'America/New_York', 'America/St_Johns', 'Australia/Lord_Howe', 'Asia/Kathmandu', 'Pacific/Apia', 'UTC']
const times = fc
  .tuple(fc.integer({ min: 0, max: 1439 }), fc.integer({ min: 0, max: 1439 }))
  .filter(([from, to]) => from !== to)
  .map((minutes) => minutes.map((each) => `${String(Math.floor(each / 60)).padStart(2, '0')}:${String(each % 60).padStart(2, '0')}`))
const settings: fc.Arbitrary<NightSettings> = fc
  .tuple(fc.constantFrom(...ZONES), times)
  .map(([time_zone, [from, to]]) => ({ time_zone, off_peak: { from: from!, to: to! } }))
const instants = fc.date({ min: at('2020-01-01T00:00:00Z'), max: at('2035-01-01T00:00:00Z'), noInvalidDate: true })
/** What another clock says: the one of toLocaleTimeString. */
const shown = (instant: Date, timeZone: string) =>
  instant.toLocaleTimeString('en-GB', { timeZone, hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })

describe('the off-peak window', () => {
  it('holds over midnight, its first minute in, its last one out', () => {
    const inside = (text: string) => isOffPeak(at(text), berlin)
    expect(['20:59:59', '21:00:00', '23:30:00'].map((time) => inside(`2026-01-10T${time}Z`))).toEqual([false, true, true])
    expect(['04:59:59', '05:00:00', '12:00:00'].map((time) => inside(`2026-01-10T${time}Z`))).toEqual([true, false, false])
    // In summer the same clock is an hour earlier.
    expect(['19:59:59', '20:00:00'].map((time) => inside(`2026-07-10T${time}Z`))).toEqual([false, true])
  })

  it('that opens in the hour that clocks skip opens when they have skipped it, and one that comes twice is open twice', () => {
    const short: NightSettings = { time_zone: 'Europe/Berlin', off_peak: { from: '02:30', to: '03:10' } }
    // 29 March 2026: after 01:59 comes 03:00 (01:00 UTC).
    expect(nextOffPeak(at('2026-03-29T00:00:00Z'), short)).toEqual(at('2026-03-29T01:00:00Z'))
    expect(isOffPeak(at('2026-03-29T01:10:00Z'), short)).toBe(false)
    // 25 October 2026: 02:30 at 00:30 UTC and again at 01:30 UTC.
    const once: NightSettings = { time_zone: 'Europe/Berlin', off_peak: { from: '02:30', to: '02:40' } }
    expect(['00:30', '00:45', '01:30', '01:40'].map((time) => isOffPeak(at(`2026-10-25T${time}:00Z`), once))).toEqual([
      true,
      false,
      true,
      false,
    ])
  })

  it('is inside exactly when the clock on the wall shows a time of it, in every zone and year', () => {
    fc.assert(
      fc.property(settings, instants, (given, instant) => {
        const time = shown(instant, given.time_zone)
        const { from, to } = given.off_peak!
        const minutesIn = (text: string) => Number(text.slice(0, 2)) * 60 + Number(text.slice(3))
        const since = (minutesIn(time) - minutesIn(from) + 1440) % 1440
        const length = (minutesIn(to) - minutesIn(from) + 1440) % 1440
        expect(isOffPeak(instant, given)).toBe(since < length)
      }),
      { numRuns: 400 },
    )
  })

  it('opens next at its first minute: nothing before it is inside', () => {
    fc.assert(
      fc.property(settings, instants, (given, instant) => {
        const open = nextOffPeak(instant, given)
        expect(isOffPeak(open, given)).toBe(true)
        expect(open.getTime() - instant.getTime()).toBeLessThan(26 * 3_600_000)
        if (open.getTime() !== instant.getTime()) {
          expect(isOffPeak(instant, given)).toBe(false)
          expect(isOffPeak(new Date(open.getTime() - 1), given)).toBe(false)
        }
      }),
      { numRuns: 150 },
    )
  })
})

describe('a night', () => {
  it('is called by the day it ends on: before and after midnight are one', () => {
    expect(nightOf(at('2026-01-09T22:30:00Z'), berlin)).toBe('2026-01-10')
    expect(nightOf(at('2026-01-10T01:30:00Z'), berlin)).toBe('2026-01-10')
    expect(nightOf(at('2026-01-10T21:30:00Z'), berlin)).toBe('2026-01-11')
    expect(nightOf(at('2026-01-10T12:00:00Z'), berlin)).toBe('2026-01-10')
    expect(nightOf(at('2026-12-31T21:00:00Z'), berlin)).toBe('2027-01-01')
    expect(nightOf(at('2026-01-10T23:30:00Z'), ANY_TIME)).toBe('2026-01-10')
  })

  it('at one local time of each day has a name of its own each day, also where clocks change', () => {
    // 01:00 in Berlin is 00:00 UTC on 29 March and 23:00 UTC of that same day on the next: by UTC one night would be lost.
    const one = { ...berlin, off_peak: null }
    const days = ['2026-03-28T00:00:00Z', '2026-03-29T00:00:00Z', '2026-03-29T23:00:00Z', '2026-03-30T23:00:00Z']
    expect(days.map((day) => nightOf(at(day), one))).toEqual(['2026-03-28', '2026-03-29', '2026-03-30', '2026-03-31'])
  })

  it('does not change its name while its window is open', () => {
    fc.assert(
      fc.property(settings, instants, (given, instant) => {
        const open = nextOffPeak(instant, given)
        const minute = new Date(open.getTime() + 60_000)
        if (isOffPeak(minute, given)) expect(nightOf(minute, given)).toBe(nightOf(open, given))
      }),
      { numRuns: 150 },
    )
  })

  it('is followed by one with a later name, inside the window, within two days', () => {
    const given = fc.oneof(
      settings,
      fc.constantFrom(...ZONES).map((time_zone): NightSettings => ({ time_zone, off_peak: null })),
    )
    fc.assert(
      fc.property(given, instants, (one, instant) => {
        const night = nightOf(instant, one)
        const next = nextNight(instant, night, one)
        expect(next.getTime()).toBeGreaterThan(instant.getTime())
        expect(next.getTime() - instant.getTime()).toBeLessThan(52 * 3_600_000)
        expect(nightOf(next, one) > night).toBe(true)
        expect(isOffPeak(next, one)).toBe(true)
      }),
      { numRuns: 150 },
    )
  })
})

describe('settings', () => {
  it('are read from two words, and refused with what to write instead', () => {
    expect(readNightSettings('Europe/Berlin', '22:00-06:00')).toEqual(berlin)
    expect(readNightSettings(undefined, undefined)).toEqual(ANY_TIME)
    expect(readNightSettings('', '')).toEqual(ANY_TIME)
    for (const [zone, window] of [
      ['Europe/Bärlin', '22:00-06:00'],
      ['Europe/Berlin', '22:00'],
      ['Europe/Berlin', '24:00-06:00'],
      ['Europe/Berlin', '06:00-06:00'],
      ['Europe/Berlin', '22:00-06:00-07:00'],
      ['Europe/Berlin', '9:00-17:00'],
    ] as const)
      expect(() => readNightSettings(zone, window), `${zone} ${window}`).toThrow(/Write two different times/)
  })
})
