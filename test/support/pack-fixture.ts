import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { anchorOf, type EntryFields, nextEntry } from '../../layers/core/audit-chain.ts'
import { canonicalBytes, digestOf } from '../../layers/core/canonical-json.ts'
import { sha256 } from '../../layers/core/digest.ts'
import { replayLifecycle } from '../../layers/core/evidence/lifecycle-replay.ts'
import { composePack, type PackFile, type PackInput, type PackKey, sealPack } from '../../layers/core/evidence/pack.ts'
import { envelopeFiles } from '../../layers/core/evidence/pack-files.ts'
import { SIGNING_PURPOSES } from '../../layers/core/names.ts'
import { figuresOf } from '../../layers/core/nights/figures.ts'
import { assembleOutcome, type OutcomeInput } from '../../layers/core/outcome/assembly.ts'
import { certificateStatement } from '../../layers/core/outcome/certificate-statement.ts'
import { segmentRoot } from '../../layers/core/outcome/table-recomputation.ts'
import type { Signer, Signers } from '../../layers/core/ports.ts'
import {
  archetypeOf,
  defaultPolicy,
  hashingSpec,
  hashingSpecSha256,
  typeCoercionRulebook,
  typeCoercionSha256,
} from '../../layers/core/rulebooks.ts'
import { passing } from '../../layers/core/rules/rule.ts'
import type { Role } from '../../layers/core/schemas/common.ts'
import { type Findings, VALIDATORS } from '../../layers/core/schemas/finding.ts'
import type { AuditEntry } from '../../layers/core/schemas/governance.ts'
import type { SystemIdentity } from '../../layers/core/schemas/identity.ts'
import type { NightRecord } from '../../layers/core/schemas/night.ts'
import { type Plan, plan as planSchema } from '../../layers/core/schemas/plan.ts'
import type { GatedTransition } from '../../layers/core/schemas/policy.ts'
import type { ChecksReport, ReconReport, TableResult } from '../../layers/core/schemas/recon.ts'
import type { ExecutionReport } from '../../layers/core/schemas/work.ts'
import { PREDICATES, signStatement, statementOf } from '../../layers/core/statement.ts'
import { signDigest } from '../../layers/local/sign-digest.ts'
import { type PasskeyPair, passkeyOver } from '../core/support/passkey.ts'

/** Documents of a small migration, correct in every figure, to be broken by tests. */

const START = Date.parse('2026-03-01T08:00:00.000Z')
export const at = (seconds: number): string => new Date(START + seconds * 1000).toISOString()

export const fixtureIdentity = (database: string): SystemIdentity => ({
  kind: 'postgresql',
  server: `${database}.example.org:5432`,
  system_identifier: '7500000000000000001',
  database_oid: '16385',
  database,
})

export function fixturePlan(projectId = 'ledger'): Plan {
  return planSchema.parse({
    schema: 'waybill/plan/v1',
    project_id: projectId,
    plan_version: 1,
    title: 'Ledger to the new database',
    author: 'ada@example.org',
    created_at: at(10),
    expires_at: at(100_000),
    archetype: { id: 'postgres-to-postgres', sha256: digestOf(archetypeOf('postgres-to-postgres')) },
    policy: { version: defaultPolicy.version, sha256: digestOf(defaultPolicy) },
    rulebooks: { type_coercion_sha256: typeCoercionSha256, hashing_spec_sha256: hashingSpecSha256 },
    source: {
      system_type: 'POSTGRESQL',
      connection: { secret_ref: 'env://SOURCE_URL' },
      identity: fixtureIdentity('legacy'),
      catalog_sha256: sha256('catalog'),
    },
    target: {
      system_type: 'POSTGRESQL',
      connection: { secret_ref: 'env://TARGET_URL' },
      identity: fixtureIdentity('new'),
      create_if_missing: true,
    },
    tables: [
      {
        table_id: 'airports',
        source: { schema: 'public', name: 'airports', kind: 'table' },
        target: { schema: 'public', name: 'airport' },
        filter: null,
        columns: [column('iata', 'text', false), column('name', 'text', true)],
        key: ['iata'],
        order_key: null,
        foreign_keys: [],
      },
      {
        table_id: 'flights',
        source: { schema: 'public', name: 'flights', kind: 'table' },
        target: { schema: 'public', name: 'flight' },
        filter: null,
        columns: [column('flown_at', 'timestamp with time zone', false), column('origin', 'text', true)],
        key: null,
        order_key: 'flown_at',
        foreign_keys: [{ columns: ['origin'], references: { table: 'airports', columns: ['iata'] }, enforcement: 'unvalidated' }],
      },
    ],
    left_behind: [],
    steps: [{ step_id: 'copy-flights', kind: 'copy_table', table_id: 'flights' }],
    recon: {
      tables: [
        { table_id: 'airports', encoding: 'native', mode: 'ordered', segments: 1, tolerances: [] },
        { table_id: 'flights', encoding: 'native', mode: 'bucketed', segments: 3, tolerances: [] },
      ],
      sampling: { method: 'full', seed: 'seed', rows: 0 },
    },
    checks: [
      { check_id: 'rows-flights', request: { kind: 'row_count', table: 'flight', severity: 'CRITICAL' } },
      {
        check_id: 'fk-origin',
        request: {
          kind: 'foreign_key',
          table: 'flight',
          columns: ['origin'],
          references: { table: 'airport', columns: ['iata'] },
          max_orphans: 0,
          severity: 'ERROR',
        },
      },
    ],
    slo: { max_duration_seconds: 3600, max_error_rate: 0.00001, max_latency_p99_ms: 60_000, availability_target: 0.99 },
    execution: {},
    rollback: {},
    decisions: [],
    estimate: { rows: null, bytes: null, seconds: null, usd: null, reason: 'the source has no statistics' },
  })
}

function column(name: string, type: string, nullable: boolean) {
  return {
    target: name,
    target_type: type,
    nullable,
    source: [name],
    source_types: [type],
    transform: { kind: 'identity' },
    rule: 'identity',
    lossy: false,
    pii: false,
  }
}

/** A table whose segments hold the given numbers of rows, equal on both sides. */
export function fixtureTable(tableId: string, rows: readonly number[], more: Partial<TableResult> = {}): TableResult {
  const segments = rows.map((count, index) => ({
    index,
    range: `bucket ${index}`,
    source_rows: String(count),
    target_rows: String(count),
    source_sha256: sha256(`${tableId} ${index} ${count}`),
    target_sha256: sha256(`${tableId} ${index} ${count}`),
  }))
  const total = String(rows.reduce((sum, count) => sum + count, 0))
  return {
    table_id: tableId,
    source_object: `public.${tableId}`,
    target_object: `public.${tableId.replace(/s$/, '')}`,
    encoding: 'native',
    mode: tableId === 'flights' ? 'bucketed' : 'ordered',
    method: 'stream',
    hashing_spec_sha256: hashingSpecSha256,
    columns: [{ name: 'c', type: 'text' }],
    snapshot: { source: '1:1:', target: '2:2:' },
    source_rows: total,
    target_rows: total,
    segments_expected: rows.length,
    segments,
    source_root: segmentRoot(segments, 'source'),
    target_root: segmentRoot(segments, 'target'),
    missing: '0',
    extra: '0',
    changed: '0',
    mismatches: [],
    aggregates: [],
    ordering:
      tableId === 'flights'
        ? {
            order_key: 'flown_at',
            verdict: 'pass',
            violations: '0',
            first_source: 'a',
            first_target: 'a',
            last_source: 'z',
            last_target: 'z',
            reason: null,
          }
        : null,
    schema_differences: [],
    severity: null,
    verdict: 'pass',
    reasons: [],
    started_at: at(60),
    finished_at: at(70),
    ...more,
  }
}

/** Deletes one record of segment 0 from the target behind everyone's back. */
export function withLostRow(table: TableResult): TableResult {
  const segments = table.segments.map((segment) =>
    segment.index === 0
      ? { ...segment, target_rows: String(Number(segment.target_rows) - 1), target_sha256: sha256('one row less') }
      : segment,
  )
  return {
    ...table,
    segments,
    target_rows: String(Number(table.target_rows) - 1),
    target_root: segmentRoot(segments, 'target'),
    missing: '1',
    verdict: 'fail',
    severity: 'Critical',
    reasons: ['one row is missing'],
    mismatches: [
      { kind: 'missing', segment: 0, key: [{ column: 'iata', value: 'hmac:1f' }], columns: [], source_count: '1', target_count: '0' },
    ],
  }
}

export function fixtureExecution(plan: Plan): ExecutionReport {
  const chunk = (id: string, table: string, rows: string, from: number, to: number) => ({
    chunk_id: id,
    table_id: table,
    rows,
    bytes: '4096',
    started_at: at(from),
    finished_at: at(to),
    already_done: false,
  })
  return {
    schema: 'waybill/execution-report/v1',
    project_id: plan.project_id,
    plan_sha256: digestOf(plan),
    started_at: at(30),
    finished_at: at(45),
    tables: [
      { table_id: 'airports', rows: '5', bytes: '4096', chunks_expected: '1', chunks_completed: '1' },
      { table_id: 'flights', rows: '60', bytes: '8192', chunks_expected: '2', chunks_completed: '2' },
    ],
    chunks: [chunk('a-1', 'airports', '5', 30, 31), chunk('f-1', 'flights', '30', 31, 38), chunk('f-2', 'flights', '30', 38, 45)],
    retries: '0',
    connection_failures: '0',
    saturation: { cpu_ratio: 0.5, memory_ratio: 0.25, network_ratio: null, disk_io_ratio: null, reason: 'not measurable on this machine' },
  }
}

export function fixtureRecon(
  plan: Plan,
  tables: TableResult[] = [fixtureTable('airports', [5]), fixtureTable('flights', [20, 20, 20])],
): ReconReport {
  const failed = tables.some((table) => table.verdict === 'fail')
  const undecided = tables.some((table) => table.verdict === 'inconclusive')
  return {
    schema: 'waybill/recon-report/v1',
    project_id: plan.project_id,
    run_id: 'run-1',
    plan_sha256: digestOf(plan),
    identities: { source: plan.source.identity, target: plan.target.identity },
    started_at: at(60),
    finished_at: at(70),
    items_expected: 2,
    items_completed: 2,
    tables,
    differences: null,
    verdict: failed ? 'fail' : undecided ? 'inconclusive' : 'pass',
    reasons: [],
  }
}

export function fixtureChecks(plan: Plan): ChecksReport {
  return {
    schema: 'waybill/checks-report/v1',
    project_id: plan.project_id,
    run_id: 'run-1',
    plan_sha256: digestOf(plan),
    started_at: at(70),
    finished_at: at(72),
    checks: [
      {
        check_id: 'rows-flights',
        kind: 'row_count',
        where: 'public.flight',
        verdict: 'pass',
        severity: 'CRITICAL',
        figures: { source: '60', target: '60' },
        explanation: 'Both hold 60 rows.',
      },
      {
        check_id: 'fk-origin',
        kind: 'foreign_key',
        where: 'public.flight(origin)',
        verdict: 'fail',
        severity: 'ERROR',
        figures: { orphan_rows: '3', source_orphan_rows: '3' },
        explanation: '3 of 60 rows name an origin that is not in airport.',
      },
    ],
    distributions: [
      {
        table_id: 'flights',
        column: 'flown_at',
        kolmogorov_smirnov: 0,
        source_outliers: '0',
        target_outliers: '0',
        source_min: 'a',
        source_max: 'z',
        target_min: 'a',
        target_max: 'z',
        source_nulls: '0',
        target_nulls: '0',
        source_distinct: '58',
        target_distinct: '58',
        reason: null,
      },
    ],
    ingestion: [{ table_id: 'flights', order_key: 'flown_at', source_rows_per_second: 9.5, target_rows_per_second: 9.5, reason: null }],
  }
}

export function fixtureOutcomeInput(plan: Plan = fixturePlan(), more: Partial<OutcomeInput> = {}): OutcomeInput {
  return {
    migrationId: 'MIG-1',
    plan,
    planSha256: digestOf(plan),
    policy: defaultPolicy,
    executionReport: fixtureExecution(plan),
    reconReport: fixtureRecon(plan),
    checksReport: fixtureChecks(plan),
    auditEntries: [],
    now: new Date(at(80)),
    ...more,
  }
}

export function fixtureSigner(): Signer {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const scalar = Buffer.from(String(privateKey.export({ format: 'jwk' }).d), 'base64url')
  const publicKey = createPublicKey(privateKey)
  return {
    sign: async (digest) => signDigest(digest, scalar),
    publicKeyPem: async () => publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    keyId: async () => `local:${sha256(publicKey.export({ type: 'spki', format: 'der' }))}`,
  }
}

export function fixtureSigners(): Signers {
  return { plan: fixtureSigner(), approval: fixtureSigner(), evidence: fixtureSigner(), anchor: fixtureSigner() }
}

export async function keysOfSigners(signers: Signers): Promise<PackKey[]> {
  return Promise.all(
    SIGNING_PURPOSES.map(async (purpose) => ({
      purpose,
      pem: await signers[purpose].publicKeyPem(),
      key_id: await signers[purpose].keyId(),
    })),
  )
}

export type PackOptions = {
  projectId?: string
  /** What was planned, instead of `fixturePlan`. */
  plan?: Plan
  signers?: Signers
  tables?: TableResult[]
  /** The run of the night that the chain calls clean; the pack holds the report and the night of `run-2`. */
  cleanRun?: string
  /** Approvals that are never asked for. */
  without?: readonly Role[]
  /** Who decides in a role; otherwise `<role>@example.org`. */
  people?: Partial<Record<Role, string>>
  reject?: readonly Role[]
  /** Who approves with a passkey, and which. */
  passkeys?: Partial<Record<Role, PasskeyPair>>
  /** Whose decisions the log never hears of. */
  unlogged?: readonly Role[]
  /** What the validation says instead. */
  findings?: Partial<Findings>
  /** The parallel run makes a newer proof, and the readiness for the cutover is approved by that one, or still by the earlier. */
  newerProof?: 'approved' | 'ignored'
  /** What the checks of the night found, as the log was told and the pack holds them; null for none. Otherwise the same as when it was proven. */
  nightChecks?: (checks: ChecksReport) => ChecksReport | null
}

/** The input of a pack of a project that ran to CUTOVER_DONE, or was rolled back when its reconciliation failed. */
export async function fixturePackInput(options: PackOptions = {}): Promise<{ input: PackInput; signers: Signers }> {
  const { projectId = 'ledger', signers = fixtureSigners() } = options
  const plan = options.plan ?? fixturePlan(projectId)
  const planBytes = canonicalBytes(plan)
  const findings = {
    schema: 'waybill/findings/v1',
    project_id: projectId,
    plan_sha256: sha256(planBytes),
    validators: [...VALIDATORS],
    verdict: 'pass',
    findings: VALIDATORS.map((id) => passing(id, 'Nothing speaks against this plan.')),
    ...options.findings,
  }
  const signedPlan = (
    await signStatement(
      signers.plan,
      statementOf({
        predicateType: PREDICATES.plan,
        subject: [{ name: 'migration_plan.json', sha256: sha256(planBytes) }],
        predicate: {
          project_id: projectId,
          plan_version: 1,
          policy_version: plan.policy.version,
          policy_sha256: plan.policy.sha256,
          type_coercion_sha256: plan.rulebooks.type_coercion_sha256,
          hashing_spec_sha256: plan.rulebooks.hashing_spec_sha256,
          archetype_sha256: plan.archetype.sha256,
          findings_sha256: sha256(canonicalBytes(findings)),
          author: plan.author,
          expires_at: plan.expires_at,
          signed_at: at(20),
        },
      }),
    )
  ).bytes

  const entries: AuditEntry[] = []
  const anchors: Uint8Array[] = []
  let state = ''
  const log = (action: string, seconds: number, more: Partial<EntryFields>): AuditEntry => {
    const entry = nextEntry(entries.at(-1) ?? null, { project_id: projectId, at: at(seconds), actor: 'waybill', action, ...more })
    entries.push(entry)
    return entry
  }
  let revision = 0
  const move = async (to: string, seconds: number, action = 'STATE_CHANGED', more: Partial<EntryFields> = {}) => {
    revision += 1
    const details = { ...(state === '' ? {} : { from: state }), to, revision: String(revision), ...more.details }
    const entry = log(action, seconds, { ...more, details })
    state = to
    anchors.push(await signedAnchor(signers.anchor, entry, at(seconds)))
  }
  const approvals: Uint8Array[] = []
  const approve = async (transition: GatedTransition, subject: Uint8Array, name: string, seconds: number) => {
    for (const role of defaultPolicy.approvals[transition].filter((candidate) => !options.without?.includes(candidate))) {
      const approval_id = `a-${approvals.length}`
      const pair = options.passkeys?.[role]
      const predicate = {
        approval_id,
        project_id: projectId,
        transition,
        role,
        approver: options.people?.[role] ?? `${role}@example.org`,
        decision: options.reject?.includes(role) ? 'REJECTED' : 'APPROVED',
        reason: '',
        decided_at: at(seconds),
        subject_sha256: sha256(subject),
        subject_name: name,
        identified_by: 'invited-address',
        ...(pair === undefined
          ? {}
          : { identified_by: 'passkey', passkey: passkeyOver({ approval_id, subject_sha256: sha256(subject) }, pair) }),
      }
      const statement = statementOf({ predicateType: PREDICATES.approval, subject: [{ name, sha256: sha256(subject) }], predicate })
      const { bytes } = await signStatement(signers.approval, statement)
      approvals.push(bytes)
      if (options.unlogged?.includes(role)) continue
      log('DECISION_TAKEN', seconds, {
        actor: predicate.approver,
        subject_sha256: predicate.subject_sha256,
        details: { approval_id, role, transition, decision: predicate.decision, statement_sha256: sha256(bytes) },
      })
    }
  }

  await move('CREATED', 0)
  await move('DISCOVERED', 5)
  await move('PLAN_DRAFTED', 10)
  await approve('PLAN_DRAFTED->PLANNED', planBytes, 'migration_plan.json', 15)
  await move('PLANNED', 20)
  await approve('PLANNED->EXECUTED', signedPlan, 'signed_plan.dsse.json', 25)
  await move('EXECUTED', 50, 'PLAN_EXECUTED', { subject_sha256: digestOf(fixtureExecution(plan)) })
  const base = fixtureOutcomeInput(plan, { auditEntries: [...entries] })
  const outcomeInput = { ...base, reconReport: fixtureRecon(plan, options.tables) }
  merged(log, outcomeInput.reconReport, 72)
  closed(log, 'run-1', outcomeInput.checksReport, 73)
  const outcome = assembleOutcome(outcomeInput)
  const document = canonicalBytes(outcome)
  const certificate = (await signStatement(signers.evidence, certificateStatement(outcome))).bytes
  const newest =
    options.newerProof === undefined ? certificate : (await signStatement(signers.evidence, certificateStatement(outcome))).bytes
  const night = fixtureNight(outcomeInput)
  const nightChecks = options.nightChecks === undefined ? night.checksReport : options.nightChecks(night.checksReport)
  const valid = outcome.proof_certificate.proof_status === 'VALID'
  await move('RECONCILED', 75, 'OUTCOME_PROVEN', { subject_sha256: sha256(certificate), details: { run_id: 'run-1' } })
  const cutover = canonicalBytes({ steps: [] })
  if (valid) {
    await move('PR_CREATED', 90)
    await approve('PR_CREATED->PARALLEL_VALIDATED', certificate, 'proof_certificate.dsse.json', 95)
    merged(log, night.reconReport, 97)
    log('NIGHT_CLEAN', 98, {
      subject_sha256: digestOf(night.record),
      details: { night: night.record.night, run_id: options.cleanRun ?? 'run-2', plan_sha256: night.record.plan_sha256 },
    })
    closed(log, 'run-2', nightChecks, 98)
    if (options.newerProof !== undefined) {
      log('PARALLEL_RUN_PROOF_TAKEN', 99, { subject_sha256: sha256(newest), details: { run_id: 'run-1' } })
    }
    await move('PARALLEL_VALIDATED', 100)
    await approve(
      'PARALLEL_VALIDATED->CUTOVER_READY',
      options.newerProof === 'approved' ? newest : certificate,
      'proof_certificate.dsse.json',
      105,
    )
    await move('CUTOVER_READY', 110)
    await approve('CUTOVER_READY->CUTOVER_DONE', cutover, 'cutover_plan.json', 115)
    await move('CUTOVER_DONE', 120)
  } else {
    await move('ROLLED_BACK', 90)
  }
  const input: PackInput = {
    projectId,
    planFolder: [
      file('policy.json', defaultPolicy),
      file('findings.json', findings),
      file('type_coercion_rulebook.json', typeCoercionRulebook),
      file('hashing_spec.json', hashingSpec),
      file('archetype.json', archetypeOf('postgres-to-postgres')),
      { path: 'migration.yaml', bytes: Buffer.from('migration_id: MIG-1\n') },
    ],
    plan: planBytes,
    signedPlan,
    code: [{ path: 'models/flight.sql', bytes: Buffer.from('select 1\n') }],
    executionReport: canonicalBytes(outcomeInput.executionReport),
    reconReports: [outcomeInput.reconReport, ...(valid ? [night.reconReport] : [])].map((report) => canonicalBytes(report)),
    reconFolder: [
      file('checks_report.run-1.json', outcomeInput.checksReport),
      ...(valid
        ? [
            ...(nightChecks === null ? [] : [file('checks_report.run-2.json', nightChecks)]),
            file('night.2026-03-01-2.json', night.record),
            ...envelopeFiles(
              'proof_certificate.run-2',
              (await signStatement(signers.evidence, certificateStatement(assembleOutcome(night)))).bytes,
              (await keysOfSigners(signers)).filter(({ purpose }) => purpose === 'evidence'),
            ),
          ]
        : []),
      ...(newest === certificate
        ? []
        : envelopeFiles(
            'proof_certificate.run-1',
            certificate,
            (await keysOfSigners(signers)).filter(({ purpose }) => purpose === 'evidence'),
          )),
    ],
    outcome: { document, certificate: newest },
    report: { html: '<!doctype html><title>x</title>', markdown: '# Report\n' },
    approvals,
    cutoverFolder: [{ path: 'cutover_plan.json', bytes: cutover }],
    entries,
    anchors,
    keys: await keysOfSigners(signers),
  }
  return { input, signers }
}

/** A second comparison, by night, and what is kept of it. */
function fixtureNight(first: OutcomeInput): OutcomeInput & { record: NightRecord } {
  const reconReport = { ...first.reconReport, run_id: 'run-2', started_at: at(96), finished_at: at(97) }
  const record: NightRecord = {
    schema: 'waybill/night/v1',
    project_id: first.plan.project_id,
    run_id: 'run-2',
    night: at(96).slice(0, 10),
    result: 'clean',
    reason: '',
    plan_sha256: first.planSha256,
    opened_at: at(96),
    recorded_at: at(98),
    ...figuresOf(reconReport, null, digestOf(reconReport)),
    last_clean: null,
  }
  return { ...first, reconReport, checksReport: { ...first.checksReport, run_id: 'run-2' }, record }
}

function merged(log: (action: string, seconds: number, more: Partial<EntryFields>) => AuditEntry, report: ReconReport, seconds: number) {
  const details = { run_id: report.run_id, verdict: report.verdict, tables: String(report.tables.length) }
  log('RECONCILIATION_MERGED', seconds, { subject_sha256: digestOf(report), details })
}

function closed(
  log: (action: string, seconds: number, more: Partial<EntryFields>) => AuditEntry,
  runId: string,
  checks: ChecksReport | null,
  seconds: number,
) {
  const details = { run_id: runId, fence: '1', ...(checks === null ? {} : { checks_report_sha256: digestOf(checks) }) }
  log('RECONCILIATION_CLOSED', seconds, { details })
}

function file(path: string, value: unknown): PackFile {
  return { path, bytes: canonicalBytes(value) }
}

/** With one more anchor, over its last entry: what the anchoring function makes of a log to which something was appended. */
export async function anchoredAgain(input: PackInput, signers: Signers): Promise<PackInput> {
  const head = input.entries.at(-1)!
  return { ...input, anchors: [...input.anchors, await signedAnchor(signers.anchor, head, head.at)] }
}

async function signedAnchor(signer: Signer, head: AuditEntry, anchoredAt: string): Promise<Uint8Array> {
  const subject = [{ name: 'audit head', sha256: head.entry_sha256 }]
  const statement = statementOf({ predicateType: PREDICATES.anchor, subject, predicate: anchorOf(head, anchoredAt) })
  return (await signStatement(signer, statement)).bytes
}

export async function sealFixture(input: PackInput, signers: Signers): Promise<PackFile[]> {
  const { state } = replayLifecycle(input.entries)
  return sealPack(signers.evidence, composePack(input), { projectId: input.projectId, state, now: new Date(at(130)) })
}

export async function fixturePack(options: PackOptions = {}): Promise<PackFile[]> {
  const { input, signers } = await fixturePackInput(options)
  return sealFixture(input, signers)
}
