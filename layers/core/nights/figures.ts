import type { NightRecord, NightTable } from '../schemas/night.ts'
import type { ReconReport, TableResult } from '../schemas/recon.ts'

const LISTED = 100

type Counts = 'source_rows' | 'target_rows' | 'missing' | 'extra' | 'changed'

/** What a night measured, and the tables that differ or whose counts moved since `earlier`, the last clean one. Counts only. */
export function figuresOf(
  report: ReconReport,
  earlier: ReconReport | null,
  reconReportSha256: string,
): Pick<NightRecord, 'compared' | 'tables' | 'tables_not_listed'> {
  const sum = (field: Counts) => report.tables.reduce((all, table) => all + BigInt(table[field]), 0n)
  const rows = sum('source_rows') + sum('target_rows')
  const seconds = Math.max(0, Date.parse(report.finished_at) - Date.parse(report.started_at)) / 1000
  const differing = report.tables.filter((table) => table.verdict !== 'pass').map((table) => row(table, earlier))
  const moved = report.tables.filter((table) => table.verdict === 'pass' && hasMoved(table, earlier)).map((table) => row(table, earlier))
  const told = [...differing, ...moved]
  return {
    compared: {
      source_rows: sum('source_rows').toString(),
      target_rows: sum('target_rows').toString(),
      missing: sum('missing').toString(),
      extra: sum('extra').toString(),
      changed: sum('changed').toString(),
      tables: report.tables.length,
      seconds,
      rows_per_second: seconds === 0 ? null : Math.round(Number(rows) / seconds),
      recon_report_sha256: reconReportSha256,
    },
    tables: told.slice(0, LISTED),
    tables_not_listed: Math.max(0, told.length - LISTED),
  }
}

function before(table: TableResult, earlier: ReconReport | null): TableResult | undefined {
  return earlier?.tables.find((each) => each.table_id === table.table_id)
}

function hasMoved(table: TableResult, earlier: ReconReport | null): boolean {
  const then = before(table, earlier)
  return then !== undefined && (then.source_rows !== table.source_rows || then.target_rows !== table.target_rows)
}

function row(table: TableResult, earlier: ReconReport | null): NightTable {
  const { table_id, target_object, verdict, source_rows, target_rows, missing, extra, changed } = table
  const then = before(table, earlier)
  const clean = then === undefined ? null : { source_rows: then.source_rows, target_rows: then.target_rows }
  return { table_id, target_object, verdict, source_rows, target_rows, missing, extra, changed, clean }
}
