import type { NightRecord, NightResult } from '../../../layers/core/schemas/night.ts'

/** A night as it is kept; what is not given is a clean one of two tables. */
export function nightOf(day: number, result: NightResult = 'clean', more: Partial<NightRecord> = {}): NightRecord {
  const night = `2026-03-${String(day).padStart(2, '0')}`
  return {
    schema: 'waybill/night/v1',
    project_id: 'flights',
    run_id: `recon-flights-202603${String(day).padStart(2, '0')}-0130-r${day}`,
    night,
    result,
    reason: result === 'clean' ? '' : 'Source and target differ.',
    plan_sha256: 'a'.repeat(64),
    opened_at: `${night}T01:30:00.000Z`,
    recorded_at: `${night}T01:40:00.000Z`,
    compared:
      result === 'skipped'
        ? null
        : {
            source_rows: '2989301',
            target_rows: '2989298',
            missing: result === 'mismatch' ? '7' : '0',
            extra: '0',
            changed: result === 'mismatch' ? '1200' : '0',
            tables: 2,
            seconds: 4.25,
            rows_per_second: 1_406_729,
            recon_report_sha256: 'b'.repeat(64),
          },
    tables: [],
    tables_not_listed: 0,
    last_clean: null,
    ...more,
  }
}
