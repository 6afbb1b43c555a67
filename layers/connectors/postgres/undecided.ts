import type { ReconcileOptions } from '../../core/connector.ts'
import { sideRoot } from '../../core/encoding/segment-digest.ts'
import { isWaybillError } from '../../core/errors.ts'
import type { TableMapping, TableRecon } from '../../core/schemas/proposal.ts'
import type { TableResult } from '../../core/schemas/recon.ts'
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
  const empty = sideRoot([])
  return {
    table_id: mapping.table_id,
    source_object: objectText(mapping.source),
    target_object: objectText(mapping.target),
    encoding: recon.encoding,
    mode: recon.mode,
    method: 'stream',
    hashing_spec_sha256: options.hashingSpecSha256,
    columns: [],
    snapshot: {
      source: sides !== null && isSnapshot(sides.source) ? sides.source.snapshot : '',
      target: sides === null ? '' : sides.target.snapshot,
    },
    source_rows: '0',
    target_rows: '0',
    segments_expected: recon.segments,
    segments: [],
    source_root: empty,
    target_root: empty,
    missing: '0',
    extra: '0',
    changed: '0',
    mismatches: [],
    aggregates: [],
    ordering: null,
    schema_differences: [],
    severity: null,
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

export function objectText(object: { schema: string; name: string }): string {
  return `${object.schema}.${object.name}`
}
