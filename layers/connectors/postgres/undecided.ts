import type { ReconcileOptions } from '../../core/connector.ts'
import { isWaybillError } from '../../core/errors.ts'
import type { TableMapping, TableRecon } from '../../core/schemas/proposal.ts'
import type { TableResult } from '../../core/schemas/recon.ts'
import { unreadTable } from '../../core/unread-table.ts'
import { isSnapshot, type OpenSides } from './snapshot.ts'

/** The result of a table pair that could not be compared: never `pass`, and why in words. */
export function undecided(
  sides: OpenSides | null,
  mapping: TableMapping,
  recon: TableRecon,
  options: ReconcileOptions,
  error: unknown,
  startedAt: Date,
): TableResult {
  const reason = isWaybillError(error)
    ? `${error.code}: ${error.message}`
    : `The comparison stopped on an unexpected ${error instanceof Error ? error.name : 'failure'}${systemCode(error)}; nothing is concluded from it.`
  return {
    ...unreadTable({ mapping, recon }, options.hashingSpecSha256),
    method: 'stream',
    snapshot: {
      source: sides !== null && isSnapshot(sides.source) ? sides.source.snapshot : '',
      target: sides === null ? '' : sides.target.snapshot,
    },
    segments_expected: recon.segments,
    verdict: 'inconclusive',
    reasons: [reason.slice(0, 1000)],
    started_at: startedAt.toISOString(),
    finished_at: new Date().toISOString(),
  }
}

/** `ENOSPC` and its like name the cause without naming data. */
function systemCode(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' && /^E[A-Z]+$/.test(code) ? ` (${code})` : ''
}
