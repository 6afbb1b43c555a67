import type { z } from 'zod'
import { canonicalBytes } from '../canonical-json.ts'
import { type Replay, replayLifecycle } from '../evidence/lifecycle-replay.ts'
import { type Findings, findings } from '../schemas/finding.ts'
import {
  type ApprovalPredicate,
  type AuditAnchor,
  type AuditEntry,
  approvalPredicate,
  auditAnchor,
  auditEntry,
  type PlanPredicate,
  planPredicate,
} from '../schemas/governance.ts'
import { type NightRecord, nightRecord } from '../schemas/night.ts'
import { type Outcome, type OutcomePredicate, outcome, outcomePredicate } from '../schemas/outcome.ts'
import { type Plan, plan } from '../schemas/plan.ts'
import { type Policy, policy } from '../schemas/policy.ts'
import { type ChecksReport, checksReport, type ReconReport, reconReport } from '../schemas/recon.ts'
import { type WaiverPredicate, waiverPredicate } from '../schemas/waiver.ts'
import { type ExecutionReport, executionReport } from '../schemas/work.ts'
import { openPredicate, type PredicateKind, type Statement } from '../statement.ts'
import { Faults, type OpenedPack, parseAs, sentence } from './pack-reader.ts'

export type Signed<T> = { path: string; bytes: Uint8Array; statement: Statement; predicate: T }
export type Report<T> = { path: string; bytes: Uint8Array; report: T }

/** Everything in a pack that means something, parsed once; null where the pack has none. */
export type Contents = {
  plan: { bytes: Uint8Array; value: Plan } | null
  signedPlan: Signed<PlanPredicate> | null
  policy: { bytes: Uint8Array; value: Policy } | null
  findings: { bytes: Uint8Array; value: Findings } | null
  execution: Report<ExecutionReport> | null
  recons: Report<ReconReport>[]
  nights: Report<NightRecord>[]
  checks: Report<ChecksReport>[]
  outcome: { bytes: Uint8Array; value: Outcome } | null
  certificates: Signed<OutcomePredicate>[]
  approvals: Signed<ApprovalPredicate>[]
  waivers: Signed<WaiverPredicate>[]
  entries: AuditEntry[]
  anchors: Signed<AuditAnchor>[]
  replay: Replay
}

export function contentsOf(pack: OpenedPack): { contents: Contents; faults: Faults } {
  const faults = new Faults()
  const one = <S extends z.ZodType>(path: string, schema: S): { path: string; bytes: Uint8Array; value: z.infer<S> } | null => {
    const bytes = pack.files.get(path)
    if (bytes === undefined) return null
    const value = parseAs(bytes, path, schema, faults)
    return value === null ? null : { path, bytes, value }
  }
  const many = <S extends z.ZodType>(pattern: RegExp, schema: S): Report<z.infer<S>>[] =>
    pathsLike(pack, pattern).flatMap((path) => {
      const found = one(path, schema)
      return found === null ? [] : [{ path, bytes: found.bytes, report: found.value }]
    })
  const signed = <S extends z.ZodType>(pattern: RegExp, kind: PredicateKind, schema: S) => signedLike(pack, pattern, kind, schema, faults)
  const entries = entriesOf(pack, faults)
  const anchors = signed(/^audit\/anchors\/[^/]+\.dsse\.json$/, 'anchor', auditAnchor)
  const contents: Contents = {
    plan: one('plan/migration_plan.json', plan),
    signedPlan: signed(/^plan\/signed_plan\.dsse\.json$/, 'plan', planPredicate)[0] ?? null,
    policy: one('plan/policy.json', policy),
    findings: one('plan/findings.json', findings),
    execution: many(/^recon\/execution_report\.json$/, executionReport)[0] ?? null,
    recons: many(/^recon\/recon_report\.[^/]+\.json$/, reconReport),
    nights: many(/^recon\/night\.[^/]+\.json$/, nightRecord),
    checks: many(/^recon\/checks_report\.[^/]+\.json$/, checksReport),
    outcome: one('outcome.json', outcome),
    certificates: signed(/^(recon\/)?proof_certificate(\.[^/]+)?\.dsse\.json$/, 'outcome', outcomePredicate),
    approvals: signed(/^approvals\/[^/]+\.dsse\.json$/, 'approval', approvalPredicate),
    waivers: signed(/^waivers\/[^/]+\.dsse\.json$/, 'waiver', waiverPredicate),
    entries,
    anchors,
    replay: replayLifecycle(entries),
  }
  return { contents, faults }
}

export function pathsLike(pack: OpenedPack, pattern: RegExp): string[] {
  return [...pack.files.keys()].filter((path) => pattern.test(path)).toSorted()
}

/** The statements of one kind under some paths; one that does not hold under a key for its purpose is a fault and is left out. */
export function signedLike<S extends z.ZodType>(
  pack: OpenedPack,
  pattern: RegExp,
  kind: PredicateKind,
  schema: S,
  faults: Faults,
): Signed<z.infer<S>>[] {
  return pathsLike(pack, pattern).flatMap((path) => {
    const bytes = pack.files.get(path)!
    try {
      return [{ path, bytes, ...openPredicate(bytes, pack.trust, kind, schema) }]
    } catch (error) {
      faults.add(path, sentence(error))
      return []
    }
  })
}

/** One canonical JSON entry a line, each line ended by a single line feed. */
function entriesOf(pack: OpenedPack, faults: Faults): AuditEntry[] {
  const path = 'audit/entries.jsonl'
  const bytes = pack.files.get(path)
  if (bytes === undefined) {
    faults.add(path, 'is missing')
    return []
  }
  // As bytes: read as text, one that is no UTF-8 would pass for the character that stands in its place.
  const lines = linesOf(Buffer.from(bytes))
  if (lines.pop()?.length !== 0) faults.add(path, 'its last line is not ended')
  return lines.flatMap((line, index) => {
    const entry = parseAs(line, `${path} line ${index + 1}`, auditEntry, faults)
    if (entry === null) return []
    if (!line.equals(canonicalBytes(entry))) faults.add(`${path} line ${index + 1}`, 'is not in its canonical form')
    return [entry]
  })
}

/** What lies between line feeds, in order: one piece more than there are line feeds. */
function linesOf(bytes: Buffer): Buffer[] {
  const lines: Buffer[] = []
  let from = 0
  for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, from)) {
    lines.push(bytes.subarray(from, end))
    from = end + 1
  }
  return [...lines, bytes.subarray(from)]
}
