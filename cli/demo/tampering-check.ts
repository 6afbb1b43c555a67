import type { ReconReport } from '../../layers/core/schemas/recon.ts'
import type { Tampering } from './tamper.ts'

/** How many of the tampered rows the reconciliation named, and how many differences it named that nobody made. */
export type TamperingCheck = { named: number; of: number; others: number }

type Row = Record<string, string | null>
type Shown = (value: string | null) => string | null
const sameRow = (row: Row, columns: readonly { column: string; value: string | null }[], shown: Shown) =>
  columns.length === Object.keys(row).length && columns.every(({ column, value }) => shown(row[column] ?? null) === value)

/**
 * Without a key a changed row is one missing and one extra. A tampered row counts as named when exactly the differences it must
 * cause are in the report, values and all, as the report has them `shown`.
 */
export function checkTampering(tampered: readonly Tampering[], report: ReconReport, shown: Shown = (value) => value): TamperingCheck {
  const left = report.tables.flatMap((table) => table.mismatches)
  const take = (kind: 'missing' | 'extra', row: Row) => {
    const at = left.findIndex(
      (mismatch) =>
        mismatch.kind === kind &&
        sameRow(
          row,
          [
            ...mismatch.key,
            ...mismatch.columns.map((cell) => ({ column: cell.column, value: kind === 'missing' ? cell.source : cell.target })),
          ],
          shown,
        ),
    )
    if (at === -1) return false
    left.splice(at, 1)
    return true
  }
  const named = tampered.filter(({ what, row }) => {
    if (what === 'deleted') return take('missing', row)
    if (what === 'duplicated') return take('extra', row)
    const after = { ...row, distance_miles: String(BigInt(row.distance_miles ?? '0') + 1n) }
    return [take('missing', row), take('extra', after)].every(Boolean)
  }).length
  return { named, of: tampered.length, others: left.length }
}
