import { WaybillError } from '../errors.ts'
import { type NightSettings, nightSettings } from '../schemas/night.ts'

const MINUTE_MS = 60_000
const DAY_MS = 86_400_000
/** A window comes once a day; with the longest day there is, and a clock change in it, two days hold one for sure. */
const SEARCHED_MINUTES = 2 * 26 * 60

/** No window: any time is as good as any other. */
export const ANY_TIME: NightSettings = { time_zone: 'UTC', off_peak: null }

/**
 * Settings from two words of a configuration: a time zone, and `22:00-06:00` or nothing.
 * @throws BAD_INPUT
 */
export function readNightSettings(timeZone: string | undefined, offPeak: string | undefined): NightSettings {
  const [from, to, ...more] = (offPeak ?? '').split('-')
  const window = offPeak === undefined || offPeak === '' ? null : { from, to: more.length > 0 ? '' : to }
  const parsed = nightSettings.safeParse({ time_zone: timeZone === undefined || timeZone === '' ? 'UTC' : timeZone, off_peak: window })
  if (parsed.success) return parsed.data
  throw new WaybillError(
    'BAD_INPUT',
    'The off-peak window cannot be read. Write two different times such as 22:00-06:00 (WAYBILL_OFF_PEAK), and a time zone such as Europe/Berlin (WAYBILL_TIME_ZONE).',
    { details: parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`) },
  )
}

/** Whether the clocks of the time zone show a time inside the window. A time that comes twice, when clocks go back, is inside twice. */
export function isOffPeak(instant: Date, { time_zone, off_peak }: NightSettings): boolean {
  if (off_peak === null) return true
  const { time } = wallClock(instant, time_zone)
  const { from, to } = off_peak
  return from < to ? from <= time && time < to : from <= time || time < to
}

/**
 * The day that a night is called by: the one on which its window ends, so that 23:30 and 02:30 of one window are one night. Outside the window,
 * and where there is none, the day that the clocks of the time zone show.
 */
export function nightOf(instant: Date, settings: NightSettings): string {
  const { date, time } = wallClock(instant, settings.time_zone)
  const { off_peak } = settings
  const evening = off_peak !== null && off_peak.from > off_peak.to && time >= off_peak.from
  return evening ? dayAfter(date) : date
}

/** `instant` itself when it is inside the window, otherwise the minute the window opens next. */
export function nextOffPeak(instant: Date, settings: NightSettings): Date {
  return isOffPeak(instant, settings) ? instant : search(instant, (minute) => isOffPeak(minute, settings))
}

/** When the night after `night` may begin: with a window when that opens, without one a day from now. */
export function nextNight(now: Date, night: string, settings: NightSettings): Date {
  const isLater = (minute: Date) => nightOf(minute, settings) > night && isOffPeak(minute, settings)
  const earliest = settings.off_peak === null ? new Date(now.getTime() + DAY_MS) : now
  return isLater(earliest) ? earliest : search(earliest, isLater)
}

/** The first full minute after `instant` that suits. Every offset of a time zone since 1972 is whole minutes. */
function search(instant: Date, suits: (minute: Date) => boolean): Date {
  const first = Math.floor(instant.getTime() / MINUTE_MS) + 1
  for (let at = 0; at < SEARCHED_MINUTES; at++) {
    const minute = new Date((first + at) * MINUTE_MS)
    if (suits(minute)) return minute
  }
  throw new WaybillError('BAD_INPUT', `The off-peak window did not open within two days of ${instant.toISOString()}. Check its time zone.`)
}

const clocks = new Map<string, Intl.DateTimeFormat>()

/** `{ date: '2026-03-29', time: '02:30' }` as the clocks of a time zone show it. */
function wallClock(instant: Date, timeZone: string): { date: string; time: string } {
  let clock = clocks.get(timeZone)
  if (clock === undefined) {
    clock = new Intl.DateTimeFormat('en-CA', {
      timeZone,
      hourCycle: 'h23',
      calendar: 'gregory',
      numberingSystem: 'latn',
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
    })
    clocks.set(timeZone, clock)
  }
  const part = Object.fromEntries(clock.formatToParts(instant).map(({ type, value }) => [type, value]))
  return { date: `${part.year}-${part.month}-${part.day}`, time: `${part.hour}:${part.minute}` }
}

function dayAfter(date: string): string {
  return new Date(Date.parse(`${date}T00:00:00Z`) + DAY_MS).toISOString().slice(0, 10)
}
