import { z } from 'zod'
import { count, instant, sha256Hex, slug } from './common.ts'

/** A calendar day, `2026-03-29`. */
export const night = z.string().regex(/^\d{4}-\d{2}-\d{2}$/, 'a day such as 2026-03-29')

const localTime = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'a time of day such as 22:00')

const timeZone = z.string().refine((zone) => {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: zone }) !== null
  } catch {
    return false
  }
}, 'a time zone such as Europe/Berlin')

/**
 * When the systems may be read by nights. `off_peak` holds from the first instant at which the clocks of `time_zone` show `from` or later to the
 * last before `to`, over midnight when `from` is the later one; null: always.
 */
export const nightSettings = z.strictObject({
  time_zone: timeZone,
  off_peak: z
    .strictObject({ from: localTime, to: localTime })
    .refine(({ from, to }) => from !== to, 'begins and ends at different times')
    .nullable(),
})
export type NightSettings = z.infer<typeof nightSettings>

/** What a night came to. Only `clean` counts; `mismatch` takes away what was counted. */
export const nightResult = z.enum(['clean', 'mismatch', 'undecided', 'skipped'])
export type NightResult = z.infer<typeof nightResult>

/** Rows of one table that a night found to differ. */
export const nightTable = z.strictObject({
  table_id: slug,
  target_object: z.string().max(300),
  verdict: z.enum(['pass', 'fail', 'inconclusive', 'not-applicable']),
  source_rows: count,
  target_rows: count,
  missing: count,
  extra: count,
  changed: count,
  /** The same table in the last clean night; null where there was none. */
  clean: z.strictObject({ source_rows: count, target_rows: count }).nullable(),
})
export type NightTable = z.infer<typeof nightTable>

/** One night of a project: `projects/<id>/nights/<run>.json`. Counts only, no value of any row. */
export const nightRecord = z.strictObject({
  schema: z.literal('waybill/night/v1'),
  project_id: slug,
  /** The reconciliation run, or the run that was to start one and did not. */
  run_id: slug,
  night,
  result: nightResult,
  /** Why it is not clean, in a sentence; empty for a clean night. */
  reason: z.string().max(2000),
  plan_sha256: sha256Hex,
  opened_at: instant,
  recorded_at: instant,
  /** Null where nothing was compared. */
  compared: z
    .strictObject({
      source_rows: count,
      target_rows: count,
      missing: count,
      extra: count,
      changed: count,
      tables: z.int().min(0),
      /** Seconds between the first read and the last. */
      seconds: z.number().min(0),
      /** Rows of both sides; null when it took no measurable time. */
      rows_per_second: z.int().min(0).nullable(),
      recon_report_sha256: sha256Hex,
    })
    .nullable(),
  /** Tables that did not pass, or whose counts moved since the last clean night: the first of them. */
  tables: z.array(nightTable).max(100),
  tables_not_listed: z.int().min(0),
  /** The last clean night of this plan before this one. */
  last_clean: z.strictObject({ night, run_id: slug }).nullable(),
})
export type NightRecord = z.infer<typeof nightRecord>
