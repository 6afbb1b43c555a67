/**
 * Who may do what: one line a function or worker, and nothing that is not here is granted. IAM statements and environment variables are both made from
 * this table (constructs/grants.ts), so a function that may not use something is not told where it is either.
 * One name goes further: whoever reads approvals is told which key seals task tokens, and may use it for nothing.
 */
import type { ENDPOINT_FUNCTIONS, MacPurpose, SigningPurpose, TASK_FUNCTIONS, Worker } from '../layers/core/names.ts'

export type LambdaFunction = (typeof TASK_FUNCTIONS)[number] | (typeof ENDPOINT_FUNCTIONS)[number]

export type Permission = {
  /** Project records: `read`, or `write` (conditional puts, never a delete). */
  projects?: 'read' | 'write'
  /** Goes through all projects: whoever reminds people must find them. */
  lists?: true
  /** Audit entries: `read`, or `append`. Nobody updates or deletes; what an append replaces, anchors show. */
  audit?: 'read' | 'append'
  /** `ask` opens requests (and seals task tokens); `read` sees requests; `decide` decides, invites in somebody's place, and opens task tokens to answer them. */
  approvals?: 'ask' | 'read' | 'decide'
  /** Lease of a project's reconciliation: taken, renewed, given back; never deleted. */
  leases?: true
  /** Is told the off-peak window and its time zone. */
  nights?: true
  /** Logical artifact names, as in `projects/<id>/<name>/…`. */
  reads?: readonly string[]
  writes?: readonly string[]
  /** Keys this function signs with, and may name as its own. */
  signs?: SigningPurpose
  /** Reads public keys, to check signatures. */
  trusts?: true
  /** Asks anchor-audit to sign the chain's head. */
  anchors?: true
  /** Tells a waiting state its outcome. */
  tasks?: true
  mail?: true
  /** What this function makes message authentication codes for, and what it checks those of others for. Neither right holds the other, and nobody reads a key. */
  makes?: readonly MacPurpose[]
  checks?: readonly MacPurpose[]
  mask?: true
  git?: true
  /** Finds and stops workers that are running. */
  stops?: true
  /** Says how far it is, in rows that nobody decides anything by. */
  progress?: true
  /** Asks which policy is in force now, whatever its own code carries: whoever writes, and nobody else. */
  policy?: true
  /** Database credentials it may read. */
  secrets?: readonly ('source' | 'target-reader' | 'target-writer')[]
  /** Runs inside the VPC, where the databases can be reached. */
  network?: true
  /** One of the seven proposers: a permissions boundary denies what it must never do, whatever else is granted. */
  agent?: true
}

/** Every artifact of a project: only for those whose work is to show or to seal all of it. */
export const ALL = '*'

/** A state change: record, audit entry, anchor. */
const ADVANCES = { projects: 'write', audit: 'append', anchors: true } as const
/** Asks people: a request each, a sealed token, a mail with a link. Who mails links checks none, so it opens no page. */
const ASKS = { projects: 'read', audit: 'append', approvals: 'ask', mail: true } as const
/**
 * Agents' rules run inside these functions. Discover and Profile must read a catalog, so they hold read-only credentials of both sides and nothing else that
 * matters; the other five get facts that were written down, and neither credentials nor a way into the network.
 */
const PROPOSES = { ...ADVANCES, agent: true } as const
const READS_CATALOGS = { secrets: ['source', 'target-reader'], network: true } as const
/** Computes a proof from what was recorded, and signs it. */
const PROVES = {
  ...ADVANCES,
  reads: [ALL],
  writes: ['proof_certificate', 'outcome', 'report_html', 'report_md'],
  signs: 'evidence',
  trusts: true,
} as const

/** Every link there is, and what comes back with it from a page. */
const MAILED = ['approvalLink', 'registrationLink', 'waiverLink', 'withdrawalLink'] as const
const OPENS = [...MAILED, 'page'] as const

export const FUNCTIONS: Record<LambdaFunction, Permission> = {
  // A signed plan that is stale is planned again: it reads what made it so.
  'create-project': {
    ...ADVANCES,
    reads: ['migration_plan', 'findings', 'waivers'],
    writes: ['spec', 'policy', 'archetype'],
    trusts: true,
  },
  discover: { ...PROPOSES, ...READS_CATALOGS, reads: ['spec'], writes: ['discovery_report', 'discovery_reasoning'] },
  profile: { ...PROPOSES, ...READS_CATALOGS, reads: ['spec', 'discovery_report'], writes: ['profiling_report', 'profiling_reasoning'] },
  'propose-mapping': {
    ...PROPOSES,
    reads: ['spec', 'discovery_report', 'profiling_report', 'decision_answers'],
    writes: ['schema_mapping', 'mapping_reasoning', 'manual_decisions'],
  },
  'propose-rewrite': { ...PROPOSES, reads: ['spec', 'schema_mapping'], writes: ['rewrite', 'rewrite_reasoning'] },
  'propose-recon': {
    ...PROPOSES,
    reads: ['spec', 'schema_mapping', 'discovery_report', 'profiling_report'],
    writes: ['recon_proposal', 'recon_reasoning'],
  },
  'request-decisions': { ...ASKS, reads: ['spec', 'manual_decisions'], makes: ['approvalLink'] },
  'compile-plan': { ...ADVANCES, reads: [ALL], writes: ['migration_plan', 'policy'], trusts: true },
  'validate-plan': { ...ADVANCES, reads: [ALL], writes: ['findings'], trusts: true },
  // Completes its own task at once when everybody needed has approved before.
  'request-approval': {
    ...ASKS,
    reads: [ALL],
    trusts: true,
    tasks: true,
    makes: ['approvalLink', 'registrationLink', 'withdrawalLink'],
  },
  'sign-plan': { ...ADVANCES, reads: [ALL], writes: ['signed_plan'], signs: 'plan', trusts: true },
  'plan-chunks': { ...ADVANCES, ...READS_CATALOGS, reads: ['migration_plan'], writes: ['chunks'] },
  'record-execution': { ...ADVANCES, reads: [ALL], writes: ['execution_report'], trusts: true },
  // A night that is not compared is recorded by whoever finds that out.
  'open-reconciliation': { ...ADVANCES, leases: true, nights: true, reads: ['migration_plan', 'nights'], writes: ['nights'] },
  'plan-segments': { ...ADVANCES, reads: ['migration_plan'], writes: ['segments'] },
  'merge-segments': {
    ...ADVANCES,
    reads: ['migration_plan', 'segments', 'work', 'anchors'],
    writes: ['recon_report', 'differences'],
    trusts: true,
  },
  'explain-differences': { ...PROPOSES, reads: ['migration_plan', 'recon_report'], writes: ['explanation', 'diff_explainer_reasoning'] },
  // Every night gets a signed proof of its own, and people are told of one that is not clean.
  'close-reconciliation': { ...PROVES, leases: true, writes: [...PROVES.writes, 'nights'], mail: true },
  'prove-outcome': PROVES,
  'create-pull-request': { ...ADVANCES, reads: [ALL], writes: ['pull_request'], trusts: true, git: true },
  // Counts nights; their proofs are there.
  'record-parallel-run': { ...ADVANCES, nights: true, reads: [ALL], trusts: true },
  'prepare-cutover': {
    ...PROPOSES,
    reads: ['spec', 'migration_plan', 'policy', 'outcome', 'proof_certificate', 'pull_request'],
    writes: ['cutover_plan', 'cutover_reasoning'],
  },
  cutover: { ...ADVANCES, reads: [ALL], trusts: true },
  'seal-evidence': { ...ADVANCES, reads: [ALL], writes: ['evidence', 'evidence_pack'], signs: 'evidence', trusts: true },
  'record-rejection': { ...ADVANCES, approvals: 'read' },
  'record-rollback': { ...ADVANCES, reads: ['rollback_report'] },
  'record-failure': { ...ADVANCES, reads: ['work'] },
  'stop-workers': { audit: 'append', stops: true },

  // Opening a link changes nothing, ever: this function can write nothing, and make no link. Forms and sessions are its own.
  // The log says which comparison is the newest.
  'approval-page': {
    projects: 'read',
    audit: 'read',
    approvals: 'read',
    reads: [ALL],
    trusts: true,
    makes: ['page', 'person'],
    checks: OPENS,
  },
  decide: {
    ...ADVANCES,
    approvals: 'decide',
    reads: [ALL],
    writes: ['approvals', 'decision_answers', 'passkeys', 'reminders', 'waivers'],
    lists: true,
    mail: true,
    signs: 'approval',
    trusts: true,
    tasks: true,
    // Whoever is reminded, or asked in somebody's place, gets a link from here. Forms and sessions it only checks.
    makes: [...MAILED, 'person'],
    checks: OPENS,
  },
  // Alone with its key: whoever proves must not vouch for the log it proves from.
  'anchor-audit': { audit: 'read', writes: ['anchors'], signs: 'anchor', trusts: true },
}

/** Every worker checks the barrier itself: it reads the plan, its signature, the approvals, the audit chain and public keys. None changes the project or its audit chain. */
const WORKS = { projects: 'read', audit: 'read', reads: [ALL], trusts: true, progress: true, network: true } as const
const READS_BOTH = ['source', 'target-reader'] as const
const WRITES_TARGET = ['source', 'target-writer'] as const
/** Each stores its own results. Threat: a worker that writes to the target and stored what the comparing one says would prove itself. */
const results = (name: Worker) => [`work/*/${name}`, 'work/*/failures']

export const WORKER_PERMISSIONS: Record<Worker, Permission> = {
  'prepare-target': { ...WORKS, writes: results('prepare-target'), secrets: WRITES_TARGET, policy: true },
  'copy-chunk': { ...WORKS, writes: results('copy-chunk'), secrets: WRITES_TARGET, policy: true },
  'finish-target': { ...WORKS, writes: results('finish-target'), secrets: WRITES_TARGET, policy: true },
  'hash-segments': { ...WORKS, leases: true, writes: results('hash-segments'), secrets: READS_BOTH, mask: true },
  'run-checks': { ...WORKS, leases: true, writes: [...results('run-checks'), 'checks_report'], secrets: READS_BOTH },
  'roll-back-target': { ...WORKS, writes: [...results('roll-back-target'), 'rollback_report'], secrets: WRITES_TARGET },
}

/** A pack of 100,000 segments takes 260 MiB to verify, and whoever seals it holds what it verifies. */
export function memoryMiB(name: LambdaFunction, { network }: Permission): number {
  return network === true || name === 'seal-evidence' ? 1024 : 512
}

/** Seconds; people wait for a page, and the others have as long as Lambda allows: with ten thousand tables, reading their results takes minutes. */
export function timeoutSeconds(name: LambdaFunction): number {
  return name === 'approval-page' || name === 'decide' ? 25 : 900
}
