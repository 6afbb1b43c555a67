import { sideRoot } from './encoding/segment-digest.ts'
import type { TableMapping, TableRecon } from './schemas/proposal.ts'
import type { TableResult } from './schemas/recon.ts'

/** What a result says of a table pair of which no row was read; whoever makes it adds why, when, and the verdict. */
export function unreadTable(
  { mapping, recon }: { mapping: TableMapping; recon: TableRecon },
  hashingSpecSha256: string,
): Omit<TableResult, 'method' | 'verdict' | 'reasons' | 'started_at' | 'finished_at'> {
  const empty = sideRoot([])
  return {
    table_id: mapping.table_id,
    source_object: objectText(mapping.source),
    target_object: objectText(mapping.target),
    encoding: recon.encoding,
    mode: recon.mode,
    hashing_spec_sha256: hashingSpecSha256,
    columns: [],
    snapshot: { source: '', target: '' },
    source_rows: '0',
    target_rows: '0',
    segments_expected: 0,
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
  }
}

export function objectText(object: { schema: string; name: string }): string {
  return `${object.schema}.${object.name}`
}
