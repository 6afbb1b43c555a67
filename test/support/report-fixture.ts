import { sha256 } from '../../layers/core/digest.ts'
import { assembleOutcome } from '../../layers/core/outcome/assembly.ts'
import { segmentRoot } from '../../layers/core/outcome/table-recomputation.ts'
import type { ReportModel } from '../../layers/core/report/model.ts'
import type { TableResult } from '../../layers/core/schemas/recon.ts'
import { at, fixtureChecks, fixtureExecution, fixtureOutcomeInput, fixturePlan, fixtureRecon, fixtureTable } from './pack-fixture.ts'

/** A table with differences in the given segments, one missing record each. */
export function withLostRows(table: TableResult, segmentIndexes: readonly number[]): TableResult {
  const segments = table.segments.map((segment) =>
    segmentIndexes.includes(segment.index)
      ? { ...segment, target_rows: String(Number(segment.target_rows) - 1), target_sha256: sha256(`lost ${segment.index}`) }
      : segment,
  )
  return {
    ...table,
    segments,
    target_rows: String(BigInt(table.target_rows) - BigInt(segmentIndexes.length)),
    target_root: segmentRoot(segments, 'target'),
    missing: String(segmentIndexes.length),
    verdict: 'fail',
    severity: 'Critical',
    reasons: [`${segmentIndexes.length} records are missing in the target`],
    mismatches: segmentIndexes.map((segment) => ({
      kind: 'missing',
      segment,
      key: [{ column: 'iata', value: `hmac:${sha256(String(segment)).slice(0, 16)}` }],
      columns: [],
      source_count: '1',
      target_count: '0',
    })),
  }
}

export function fixtureReport(
  options: { rows?: readonly number[]; lost?: readonly number[]; hostile?: string; inconclusive?: boolean } = {},
): ReportModel {
  const plan = fixturePlan()
  if (options.hostile !== undefined) {
    plan.title = options.hostile
    plan.tables[1]!.target.name = options.hostile.slice(0, 60)
  }
  const whole = fixtureTable('flights', options.rows ?? [20, 20, 20])
  const flights = options.lost ? withLostRows(whole, options.lost) : whole
  if (options.hostile !== undefined) {
    flights.target_object = options.hostile
    flights.reasons = [options.hostile]
    flights.segments = flights.segments.map((segment) => ({ ...segment, range: options.hostile!.slice(0, 100) }))
    flights.schema_differences = [
      { kind: 'comment', where: options.hostile, source: options.hostile, target: null, severity: 'WARNING', planned: false },
    ]
    flights.mismatches = flights.mismatches.map((mismatch) => ({
      ...mismatch,
      key: [{ column: options.hostile!.slice(0, 60), value: options.hostile! }],
      columns: [{ column: options.hostile!.slice(0, 60), source: options.hostile!, target: null }],
    }))
  }
  const recon = fixtureRecon(plan, [fixtureTable('airports', [3376]), flights])
  const reconReport = options.inconclusive
    ? {
        ...recon,
        items_completed: 1,
        tables: [
          recon.tables[0]!,
          { ...flights, segments: flights.segments.slice(0, Math.ceil(flights.segments.length / 2)), verdict: 'inconclusive' as const },
        ],
      }
    : recon
  const checks = fixtureChecks(plan)
  if (options.hostile !== undefined)
    for (const check of checks.checks) Object.assign(check, { where: options.hostile, explanation: options.hostile })
  const execution = fixtureExecution(plan)
  const total = String((options.rows ?? [60]).reduce((sum, count) => sum + count, 0))
  execution.tables = execution.tables.map((table) =>
    table.table_id === 'flights' ? { ...table, rows: total, bytes: '187000000' } : { ...table, rows: '3376', bytes: '240000' },
  )
  const outcome = assembleOutcome(fixtureOutcomeInput(plan, { reconReport, checksReport: checks, executionReport: execution }))
  return {
    title: plan.title,
    state: options.lost ? 'ROLLED_BACK' : 'PR_CREATED',
    plan,
    execution,
    recon: reconReport,
    checks,
    outcome,
    explanation: options.lost
      ? {
          tables: [
            {
              table_id: 'flights',
              summary: options.hostile ?? 'Single records are gone, spread over the table.',
              likely_causes: [
                { cause: 'Records were deleted after the copy', evidence: 'whole rows, no changed columns', confidence: 0.7 },
              ],
            },
          ],
        }
      : null,
    approvals: (['tech_lead', 'data_owner', 'security'] as const).map((role, index) => ({
      predicate: {
        approval_id: `a-${index}`,
        project_id: plan.project_id,
        transition: index === 0 ? 'PLAN_DRAFTED->PLANNED' : 'PLANNED->EXECUTED',
        role,
        approver: `${role}@example.org`,
        decision: 'APPROVED',
        reason: options.hostile ?? '',
        decided_at: at(15 + index),
        subject_sha256: sha256(role),
        subject_name: index === 0 ? 'migration_plan.json' : 'signed_plan.dsse.json',
        identified_by: 'invited-address',
      },
      statement_sha256: sha256(`statement ${role}`),
    })),
    nights: [],
  }
}
