import { canonicalJson, digestOf } from '../canonical-json.ts'
import { sha256 } from '../digest.ts'
import { arithmeticFaults } from '../outcome/arithmetic.ts'
import { assembleOutcome } from '../outcome/assembly.ts'
import { outcomePredicateOf } from '../outcome/certificate-statement.ts'
import { everyValue } from '../outcome/loose-document.ts'
import { PROVING } from '../proof-subjects.ts'
import type { Outcome } from '../schemas/outcome.ts'
import type { Contents } from './contents.ts'
import { Faults, notAccepted, type OpenedPack, sentence } from './pack-reader.ts'

const PATH = 'outcome.json'
const CERTIFICATE = 'proof_certificate.dsse.json'

/** The outcome's arithmetic holds, and the whole document comes out again when it is assembled from the reports in the pack. */
export function outcomeFaults(pack: OpenedPack, contents: Contents): Faults {
  const faults = new Faults()
  const { outcome, certificates, entries, replay } = contents
  if (outcome === null) {
    if (replay.reached.has('PR_CREATED')) faults.add(PATH, 'is missing, although the outcome was proven')
    return faults
  }
  faults.all(PATH, arithmeticFaults(outcome.value))
  const certificate = certificates.find(({ path }) => path === CERTIFICATE)
  if (certificate === undefined) faults.add(CERTIFICATE, notAccepted(pack, CERTIFICATE))
  else {
    const [subject, ...more] = certificate.statement.subject
    if (more.length > 0 || subject?.digest.sha256 !== sha256(outcome.bytes)) faults.add(PATH, 'is not the outcome that was signed')
    if (canonicalJson(certificate.predicate) !== canonicalJson(outcomePredicateOf(outcome.value))) {
      faults.add(certificate.path, 'says something other than the outcome')
    }
    const newest = entries.findLast(({ action }) => PROVING.includes(action))
    if (newest?.subject_sha256 !== sha256(certificate.bytes))
      faults.add(certificate.path, 'is not the newest proof that the audit log records')
  }
  certificateFaults(contents, faults)
  const valid = outcome.value.proof_certificate.proof_formula_evaluation.PROOF_VALID
  if (!valid && replay.reached.has('PR_CREATED')) faults.add(PATH, 'the project went on although its proof does not hold')
  reassemblyFaults(contents, outcome.value, faults)
  return faults
}

/** Every certificate, also an earlier one, names the roots of a reconciliation in the pack, and none is VALID over one that did not pass. */
function certificateFaults({ certificates, recons }: Contents, faults: Faults): void {
  for (const { path, predicate } of certificates) {
    const recon = recons.find(({ report }) => report.run_id === predicate.run_id)
    if (recon === undefined) {
      faults.add(path, `the reconciliation of run ${predicate.run_id} is not in the pack`)
      continue
    }
    if (recon.report.plan_sha256 !== predicate.plan_sha256) faults.add(path, 'is about another plan than its reconciliation')
    for (const table of predicate.tables) {
      const result = recon.report.tables.find((candidate) => candidate.table_id === table.table_id)
      const same =
        result !== undefined &&
        result.source_root === table.source_root &&
        result.target_root === table.target_root &&
        result.segments.length === table.tree_size
      if (!same) faults.add(path, `names other roots of ${table.table_id} than ${recon.path}`)
    }
    if (predicate.proof_status !== 'VALID') continue
    if (predicate.tables.length !== recon.report.tables.length) faults.add(path, 'is VALID without naming every table')
    if (recon.report.verdict !== 'pass') faults.add(path, `is VALID over a reconciliation that is ${recon.report.verdict}`)
  }
}

function reassemblyFaults(contents: Contents, stated: Outcome, faults: Faults): void {
  const { plan, policy, execution, entries } = contents
  const recon = contents.recons.find(named(stated.inputs.recon_report_sha256))
  const checks = contents.checks.find(named(stated.inputs.checks_report_sha256))
  if (plan === null || policy === null || execution === null || recon === undefined || checks === undefined) {
    faults.add(PATH, 'the reports it was computed from are not all in the pack')
    return
  }
  // The chain went on after the outcome was made; its entries must be the first ones of the chain.
  const prefix = entries.slice(0, stated.audit_trail.audit_entries.length)
  try {
    const again = assembleOutcome({
      migrationId: stated.proof_certificate.migration_id,
      plan: plan.value,
      planSha256: sha256(plan.bytes),
      policy: policy.value,
      executionReport: execution.report,
      reconReport: recon.report,
      checksReport: checks.report,
      auditEntries: prefix,
      now: new Date(stated.timestamp),
    })
    for (const pointer of differences(stated, again)) faults.add(PATH, `/${pointer} does not follow from the reports in the pack`)
  } catch (error) {
    faults.add(PATH, sentence(error))
  }
}

/** A report by its digest: that of its bytes where they are canonical, as Waybill writes them, and of its content in any case. */
function named(digest: string): (each: { bytes: Uint8Array; report: unknown }) => boolean {
  return ({ bytes, report }) => sha256(bytes) === digest || digestOf(report) === digest
}

/** Pointers of leaves in which two documents differ, at most twenty. */
function differences(a: unknown, b: unknown): string[] {
  const leaves = (document: unknown) =>
    new Map(
      [...everyValue(document)]
        .filter(({ value }) => typeof value !== 'object' || value === null)
        .map(({ pointer, value }) => [pointer, value]),
    )
  const [left, right] = [leaves(a), leaves(b)]
  const pointers = new Set([...left.keys(), ...right.keys()])
  return [...pointers].filter((pointer) => left.get(pointer) !== right.get(pointer)).slice(0, 20)
}
