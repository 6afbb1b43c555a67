import { digestOf } from '../canonical-json.ts'
import type { ResultStatus, TableProof } from '../schemas/outcome.ts'
import type { TableMapping } from '../schemas/proposal.ts'
import type { TableResult } from '../schemas/recon.ts'
import { unplannedTolerances } from '../tolerance/claim.ts'
import type { OutcomeInput } from './assembly.ts'
import type { CheckVerdicts } from './check-findings.ts'
import { unplannedDifferences } from './check-findings.ts'
import { FULL_CONFIDENCE, FULL_CONFIDENCE_BASIS, sampledConfidence } from './confidence.ts'
import { countFigure, type Figure, ratio, Unmeasured, unmeasured } from './figures.ts'
import { recomputeTable, type TableRecomputation } from './table-recomputation.ts'

/** One planned table with what the reconciliation found; `result` is undefined when it never came back. */
export type ComparedTable = { mapping: TableMapping; result: TableResult | undefined; recomputed: TableRecomputation | undefined }

export function comparedTables(input: OutcomeInput): ComparedTable[] {
  return input.plan.tables.map((mapping) => {
    const result = input.reconReport.tables.find((table) => table.table_id === mapping.table_id)
    return { mapping, result, recomputed: result && recomputeTable(result) }
  })
}

/** FAIL over INCONCLUSIVE over PASS; NOT_APPLICABLE when nothing else is left. */
export function worst(statuses: readonly ResultStatus[]): ResultStatus {
  for (const status of ['FAIL', 'INCONCLUSIVE', 'PASS'] as const) if (statuses.includes(status)) return status
  return 'NOT_APPLICABLE'
}

export function sum(tables: readonly ComparedTable[], figure: (result: TableResult) => string): bigint {
  return tables.reduce((total, { result }) => total + (result ? BigInt(figure(result)) : 0n), 0n)
}

/** Why a comparison as a whole decides nothing, whatever its tables say. */
function reportReasons(input: OutcomeInput): string[] {
  const { reconReport: recon, plan } = input
  const reasons: string[] = []
  if (recon.items_completed !== recon.items_expected) {
    reasons.push(`${recon.items_completed} of ${recon.items_expected} pieces of the reconciliation were completed`)
  }
  if (recon.verdict === 'inconclusive') reasons.push(...(recon.reasons.length > 0 ? recon.reasons : ['the reconciliation did not decide']))
  for (const mapping of plan.tables) {
    if (!recon.tables.some((table) => table.table_id === mapping.table_id)) reasons.push(`${mapping.table_id} was not reconciled`)
  }
  for (const table of recon.tables) {
    if (!plan.tables.some((mapping) => mapping.table_id === table.table_id)) reasons.push(`${table.table_id} is not in the plan`)
    if (table.hashing_spec_sha256 !== plan.rulebooks.hashing_spec_sha256)
      reasons.push(`${table.table_id} was digested under another hashing spec`)
    const planned = plan.recon.tables.find((candidate) => candidate.table_id === table.table_id)?.tolerances ?? []
    const mapping = plan.tables.find((candidate) => candidate.table_id === table.table_id)
    reasons.push(...unplannedTolerances(table, planned, mapping).map((fault) => `${table.table_id}: ${fault}`))
  }
  return reasons
}

/** The draft of `proof_certificate`; unmeasured figures carry their reasons until the outcome is settled. */
export function proofDraft(input: OutcomeInput, tables: readonly ComparedTable[], checks: CheckVerdicts) {
  const undecided = reportReasons(input)
  const hold: ResultStatus[] = undecided.length > 0 ? ['INCONCLUSIVE'] : []
  const integrity = integrityDraft(input, tables, checks, undecided, hold)
  const completeness = completenessDraft(tables, checks, undecided, hold)
  const consistency = consistencyDraft(input, tables, checks, undecided, hold)
  const ordering = orderingDraft(tables, undecided)
  const statuses = [integrity.status, completeness.status, consistency.status, ordering.status]
  const valid = statuses.every((status) => status === 'PASS' || status === 'NOT_APPLICABLE') && integrity.status === 'PASS'
  const factor = (status: ResultStatus) => (status === 'PASS' ? 1 : 0)
  const proof_status = valid ? 'VALID' : statuses.includes('FAIL') ? 'INVALID' : 'INCONCLUSIVE'
  return {
    migration_id: input.migrationId,
    proof_status: proof_status as 'VALID' | 'INVALID' | 'INCONCLUSIVE',
    proof_timestamp: input.now.getTime(),
    tables: tables.flatMap(tableProofOf),
    integrity_result: integrity,
    completeness_result: completeness,
    consistency_result: consistency,
    ordering_result: ordering,
    proof_formula_evaluation: {
      I_t_integrity: factor(integrity.status),
      C_t_completeness: factor(completeness.status),
      K_t_consistency: factor(consistency.status),
      O_t_ordering: ordering.status === 'NOT_APPLICABLE' ? unmeasured(ordering.reasons.join('; ')) : factor(ordering.status),
      PROOF_VALID: valid,
      proof_confidence: valid ? integrity.match_confidence : unmeasured('there is no confidence in a proof that does not hold'),
    },
  }
}
export type ProofDraft = ReturnType<typeof proofDraft>

function tableProofOf({ result, recomputed }: ComparedTable): TableProof[] {
  if (!result || !recomputed) return []
  return [
    {
      table_id: result.table_id,
      source_object: result.source_object,
      target_object: result.target_object,
      source_record_count: countFigure(BigInt(result.source_rows)),
      target_record_count: countFigure(BigInt(result.target_rows)),
      missing: countFigure(BigInt(result.missing)),
      extra: countFigure(BigInt(result.extra)),
      changed: countFigure(BigInt(result.changed)),
      tree_size: result.segments.length,
      segments_differing: recomputed.segments_differing,
      ...(result.tolerances === undefined ? {} : { tolerances: result.tolerances }),
      source_root: result.source_root,
      target_root: result.target_root,
      status: worst([recomputed.integrity, recomputed.completeness]),
      reasons: [...recomputed.reasons, ...recomputed.faults],
    },
  ]
}

/** SHA-256 over the roots of all tables of one side: one figure that commits to every row. */
export function checksumOf(
  tables: readonly { table_id: string; tree_size: number; source_root: string; target_root: string }[],
  side: 'source' | 'target',
): string {
  const roots = tables.map((table) => ({ table_id: table.table_id, tree_size: table.tree_size, root: table[`${side}_root`] }))
  return digestOf(roots.toSorted((a, b) => (a.table_id < b.table_id ? -1 : 1)))
}

function integrityDraft(
  input: OutcomeInput,
  tables: readonly ComparedTable[],
  checks: CheckVerdicts,
  undecided: string[],
  hold: ResultStatus[],
) {
  const compared = tables.map(({ recomputed }): ResultStatus => recomputed?.integrity ?? 'INCONCLUSIVE')
  const proofs = tables.flatMap(tableProofOf)
  const rows = sum(tables, (result) => result.source_rows)
  const differing = sum(tables, (result) => result.missing) + sum(tables, (result) => result.changed)
  const full = input.plan.recon.sampling.method === 'full'
  const confidence = full
    ? { confidence: FULL_CONFIDENCE as Figure<number>, basis: FULL_CONFIDENCE_BASIS + heldApart(tables) }
    : sampledConfidence(input.plan.recon.sampling, rows, input.policy.tolerances.max_relative)
  // A sample that can show nothing at the agreed tolerance proves nothing.
  const unprovable: ResultStatus[] = confidence.confidence instanceof Unmeasured ? ['INCONCLUSIVE'] : []
  const status = worst([...hold, ...unprovable, checks.integrity, ...compared])
  const notDecided = unmeasured('the comparison did not finish')
  const passed = rows > differing ? rows - differing : 0n
  const decided = status !== 'INCONCLUSIVE'
  return {
    status,
    source_checksum: checksumOf(proofs, 'source'),
    target_checksum: checksumOf(proofs, 'target'),
    match_confidence:
      status === 'PASS'
        ? confidence.confidence
        : unmeasured(status === 'FAIL' ? 'the records do not match' : 'the comparison did not finish'),
    confidence_basis: confidence.basis,
    checksum_algorithm: 'SHA256' as const,
    verification_method: full ? ('FULL_CHECKSUM' as const) : ('SAMPLED_CHECKSUM' as const),
    sample_records_verified: decided ? countFigure(rows) : notDecided,
    sample_records_passed: decided ? countFigure(passed) : notDecided,
    sample_pass_rate: !decided ? notDecided : rows === 0n ? unmeasured('the source has no records') : ratio(passed, rows, 6, 'floor'),
    reasons: [
      ...undecided,
      ...tables.flatMap(({ mapping, recomputed }) => said(mapping.table_id, recomputed)),
      ...checks.reasons.integrity,
    ],
  }
}

/** A digest says nothing of a column that is not in it. */
function heldApart(tables: readonly ComparedTable[]): string {
  const columns = tables.reduce((total, { result }) => total + (result?.tolerances?.length ?? 0), 0)
  if (columns === 0) return ''
  return `; ${columns} ${columns === 1 ? 'column is' : 'columns are'} in no digest: ${columns === 1 ? 'its' : 'their'} values were compared exactly, one by one, and held to a tolerance`
}

function said(tableId: string, recomputed: TableRecomputation | undefined): string[] {
  return [...(recomputed?.reasons ?? []), ...(recomputed?.faults ?? [])].map((reason) => `${tableId}: ${reason}`)
}

function completenessDraft(tables: readonly ComparedTable[], checks: CheckVerdicts, undecided: string[], hold: ResultStatus[]) {
  const status = worst([...hold, checks.completeness, ...tables.map(({ recomputed }) => recomputed?.completeness ?? 'INCONCLUSIVE')])
  const source = sum(tables, (result) => result.source_rows)
  const target = sum(tables, (result) => result.target_rows)
  const missing = sum(tables, (result) => result.missing)
  const decided =
    hold.length === 0 && tables.every(({ recomputed }) => recomputed !== undefined && recomputed.completeness !== 'INCONCLUSIVE')
  // Counts of a scan that did not finish are counts of something else.
  const counted = (value: bigint): Figure<number | string> => (decided ? countFigure(value) : unmeasured('the comparison did not finish'))
  return {
    status,
    source_record_count: counted(source),
    target_record_count: counted(target),
    record_count_delta: counted(target - source),
    missing_records: counted(missing),
    extra_records: counted(sum(tables, (result) => result.extra)),
    completeness_ratio: !decided
      ? unmeasured('the comparison did not finish')
      : source === 0n
        ? unmeasured('the source has no records')
        : ratio(missing > source ? 0n : source - missing, source, 6, 'floor'),
    null_handling_mode: 'STRICT' as const,
    null_violations: nullViolations(tables),
    reasons: [
      ...undecided,
      ...tables.flatMap(({ mapping, recomputed }) => said(mapping.table_id, recomputed)),
      ...checks.reasons.completeness,
    ],
  }
}

/** NULLs in target columns that the plan says hold none. */
function nullViolations(tables: readonly ComparedTable[]): Figure<number | string> {
  let violations = 0n
  for (const { mapping, result } of tables) {
    for (const column of mapping.columns.filter((candidate) => !candidate.nullable)) {
      const nulls = result?.aggregates.find((aggregate) => aggregate.kind === 'nulls' && aggregate.column === column.target)?.target
      if (nulls === undefined || nulls === null || !/^[0-9]+$/.test(nulls))
        return unmeasured(`the NULLs of ${mapping.table_id}.${column.target} were not counted`)
      violations += BigInt(nulls)
    }
  }
  return countFigure(violations)
}

function consistencyDraft(
  input: OutcomeInput,
  tables: readonly ComparedTable[],
  checks: CheckVerdicts,
  undecided: string[],
  hold: ResultStatus[],
) {
  const unplanned = unplannedDifferences(input.reconReport)
  const grave = unplanned.filter((difference) => difference.severity === 'CRITICAL' || difference.severity === 'ERROR')
  const status = worst([...hold, checks.consistency, grave.length > 0 ? 'FAIL' : 'PASS'])
  const decided = undecided.length === 0
  const constraints = unplanned.filter((difference) => difference.kind === 'constraint').length
  return {
    status,
    schema_match: decided ? grave.length === 0 : unmeasured('the comparison did not finish'),
    source_schema_hash: input.plan.source.catalog_sha256,
    target_schema_hash: unmeasured('schemas are compared column by column under the plan; renamed columns give no common hash'),
    drift_detected: decided ? unplanned.length > 0 : unmeasured('the comparison did not finish'),
    drift_tolerance: 'BELOW_ERROR' as const,
    column_count_source: tables.reduce((total, { mapping }) => total + new Set(mapping.columns.flatMap((column) => column.source)).size, 0),
    column_count_target: tables.reduce((total, { mapping }) => total + mapping.columns.length, 0),
    type_mismatches: unplanned.filter((difference) => difference.kind === 'column_type').length,
    constraint_violations:
      checks.violations === null
        ? unmeasured('a check of constraints did not decide')
        : countFigure(checks.violations + BigInt(constraints)),
    reasons: [
      ...undecided,
      ...grave.map((difference) => `${difference.where}: ${difference.kind.replaceAll('_', ' ')} not planned (${difference.severity})`),
      ...checks.reasons.consistency,
    ],
  }
}

function orderingDraft(tables: readonly ComparedTable[], undecided: string[]) {
  const ordered = tables.filter(({ mapping }) => mapping.order_key !== null)
  const only = ordered.length === 1 ? ordered[0]?.result?.ordering : undefined
  const statuses = ordered.map(({ result }): ResultStatus => {
    if (result?.ordering?.verdict === 'fail') return 'FAIL'
    return result?.ordering?.verdict === 'pass' ? 'PASS' : 'INCONCLUSIVE'
  })
  const status = worst([...(ordered.length > 0 && undecided.length > 0 ? (['INCONCLUSIVE'] as const) : []), ...statuses])
  const why =
    ordered.length === 0
      ? 'no table of the plan names an order key'
      : ordered.length > 1
        ? 'several tables have an order key'
        : 'the order was not measured'
  const counted = ordered.map(({ result }) => result?.ordering?.violations ?? null)
  // The engine reads a source's first and last record only where they can differ from the target's, and never those of a file.
  const unread =
    only !== undefined && only !== null && ordered[0]!.result!.source_root !== ordered[0]!.result!.target_root && isFile(ordered[0]!)
  const sourceRecord = (value: string | null | undefined) =>
    unread ? unmeasured('a source file is not read again for its first and last record') : record(value)
  const record = (value: string | null | undefined): Figure<Record<string, string>> =>
    only && value !== null && value !== undefined
      ? { [only.order_key]: value }
      : unmeasured(only ? (only.reason ?? 'the table has no records') : why)
  return {
    status,
    order_key: ordered.length === 1 ? ordered[0]!.mapping.order_key! : unmeasured(why),
    sequence_preserved: status === 'PASS' ? true : status === 'FAIL' ? false : unmeasured(why),
    ordering_violations:
      ordered.length === 0 || counted.includes(null)
        ? unmeasured(why)
        : countFigure(counted.reduce((total, value) => total + BigInt(value!), 0n)),
    first_record_source: sourceRecord(only?.first_source),
    first_record_target: record(only?.first_target),
    last_record_source: sourceRecord(only?.last_source),
    last_record_target: record(only?.last_target),
    reasons: [
      ...(ordered.length === 0 ? [why] : undecided),
      ...ordered.flatMap(({ mapping, result }) => (result?.ordering?.reason ? [`${mapping.table_id}: ${result.ordering.reason}`] : [])),
      ...ordered.flatMap(({ mapping, result }) =>
        result?.ordering && result.source_root === result.target_root
          ? [
              `${mapping.table_id}: first and last record were read on the target; the source has the same, because ${result.tolerances === undefined ? 'every record is equal' : 'every record has the same order key'}`,
            ]
          : [],
      ),
    ],
  }
}

function isFile({ mapping }: ComparedTable): boolean {
  return mapping.source.kind === 'file'
}
