/**
 * Who may do what: one line a function or worker, and nothing that is not here is granted. IAM statements and environment variables are both made from
 * this table (constructs/grants.ts), so a function that may not use something is not told where it is either.
 */
import type { ENDPOINT_FUNCTIONS, TASK_FUNCTIONS, Worker } from '../layers/core/names.ts'

export type LambdaFunction = (typeof TASK_FUNCTIONS)[number] | (typeof ENDPOINT_FUNCTIONS)[number]
export type Purpose = 'plan' | 'approval' | 'evidence'

export type Permission = {
  /** Project records: `read`, or `write` (conditional puts, never a delete). */
  projects?: 'read' | 'write'
  /** Audit entries: `read`, or `append`. Nobody updates or deletes. */
  audit?: 'read' | 'append'
  /** `ask` opens requests (and seals task tokens); `read` sees requests; `decide` decides, and opens task tokens to answer them. */
  approvals?: 'ask' | 'read' | 'decide'
  /** Logical artifact names, as in `projects/<id>/<name>/…`. */
  reads?: readonly string[]
  writes?: readonly string[]
  /** Keys this function signs with, and may name as its own. */
  signs?: Purpose
  /** Reads public keys, to check signatures. */
  trusts?: true
  /** Asks anchor-audit to sign the chain's head. */
  anchors?: true
  /** Tells a waiting state its outcome. */
  tasks?: true
  mail?: true
  link?: true
  mask?: true
  git?: true
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
/** Asks people: a request each, a sealed token, a mail with a link. */
const ASKS = { projects: 'read', audit: 'append', approvals: 'ask', mail: true, link: true } as const
/** Looks at the project and says what it did. */
const RECORDS = { projects: 'write', audit: 'append' } as const

/**
 * Agents' rules run inside these functions. Discover and Profile must read a catalog, so they hold the source's read-only secret and nothing else that matters;
 * the other five get facts that were written down, and neither secrets nor a way into the network.
 */
const PROPOSES = { ...ADVANCES, agent: true } as const

export const FUNCTIONS: Record<LambdaFunction, Permission> = {
  'create-project': { ...ADVANCES, reads: ['spec'], writes: ['spec', 'policy', 'archetype'] },
  discover: {
    ...PROPOSES,
    reads: ['spec', 'archetype'],
    writes: ['discovery_report', 'discovery_reasoning'],
    secrets: ['source'],
    network: true,
  },
  profile: {
    ...PROPOSES,
    reads: ['spec', 'discovery_report'],
    writes: ['profiling_report', 'profiling_reasoning'],
    secrets: ['source'],
    network: true,
  },
  'propose-mapping': {
    ...PROPOSES,
    reads: ['spec', 'archetype', 'discovery_report', 'profiling_report', 'decision_answers'],
    writes: ['schema_mapping', 'mapping_reasoning', 'manual_decisions', 'decision_answers'],
  },
  'propose-rewrite': {
    ...PROPOSES,
    reads: ['spec', 'schema_mapping', 'discovery_report', 'decision_answers', 'manual_decisions'],
    writes: ['rewrite', 'rewrite_reasoning'],
  },
  'propose-recon': {
    ...PROPOSES,
    reads: ['spec', 'schema_mapping', 'discovery_report', 'profiling_report'],
    writes: ['recon_proposal', 'recon_reasoning'],
  },
  'request-decisions': { ...ASKS, reads: ['spec', 'schema_mapping', 'manual_decisions'] },
  'compile-plan': { ...ADVANCES, reads: [ALL], writes: ['migration_plan', 'decision_answers'] },
  'validate-plan': { ...ADVANCES, reads: [ALL], writes: ['findings'] },
  // Completes its own task at once when everybody needed has approved before.
  'request-approval': { ...ASKS, reads: [ALL], trusts: true, tasks: true },
  'sign-plan': { ...ADVANCES, reads: [ALL], writes: ['signed_plan'], approvals: 'read', signs: 'plan', trusts: true },
  'plan-chunks': { ...ADVANCES, reads: [ALL], writes: ['chunks'], approvals: 'read', trusts: true, secrets: ['source'], network: true },
  'record-execution': { ...ADVANCES, reads: [ALL], writes: ['execution_report'], approvals: 'read', trusts: true },
  'plan-segments': { ...RECORDS, reads: [ALL], writes: ['segments'], approvals: 'read', trusts: true },
  'merge-segments': { ...ADVANCES, reads: [ALL], writes: ['recon_report', 'differences'], approvals: 'read', trusts: true },
  'explain-differences': {
    ...PROPOSES,
    reads: ['recon_report', 'differences', 'schema_mapping', 'migration_plan'],
    writes: ['explanation', 'diff_explainer_reasoning'],
  },
  'prove-outcome': {
    ...ADVANCES,
    reads: [ALL],
    writes: ['proof_certificate', 'outcome', 'report_html', 'report_md'],
    approvals: 'read',
    signs: 'evidence',
    trusts: true,
  },
  'create-pull-request': {
    ...ADVANCES,
    reads: ['spec', 'rewrite', 'report_md', 'outcome', 'migration_plan'],
    writes: ['pull_request'],
    git: true,
  },
  'record-parallel-run': { ...ADVANCES, reads: [ALL], approvals: 'read', trusts: true },
  'prepare-cutover': {
    ...PROPOSES,
    reads: ['migration_plan', 'outcome', 'proof_certificate', 'recon_report', 'spec'],
    writes: ['cutover_plan', 'cutover_reasoning'],
  },
  cutover: { ...ADVANCES, reads: [ALL], approvals: 'read', trusts: true },
  'seal-evidence': {
    ...ADVANCES,
    reads: [ALL],
    writes: ['evidence_manifest', 'evidence'],
    approvals: 'read',
    signs: 'evidence',
    trusts: true,
  },
  'record-rejection': { ...ADVANCES },
  'record-rollback': { ...ADVANCES, reads: [ALL], writes: ['rollback_report'] },
  'record-failure': { ...ADVANCES },

  // Opening a link changes nothing, ever: this function can write nothing.
  'approval-page': { projects: 'read', approvals: 'read', reads: [ALL], link: true },
  decide: {
    ...ADVANCES,
    approvals: 'decide',
    reads: [ALL],
    writes: ['approvals', 'decision_answers'],
    signs: 'approval',
    trusts: true,
    tasks: true,
    link: true,
  },
  'anchor-audit': { audit: 'read', writes: ['anchors'], signs: 'evidence' },
}

/** Every worker checks the barrier itself: it reads the plan, its signature, the approvals and public keys. None changes the project or its audit chain. */
const WORKS = { projects: 'read', reads: [ALL], trusts: true, network: true } as const
const READS_BOTH = ['source', 'target-reader'] as const
const WRITES_TARGET = ['source', 'target-writer'] as const

export const WORKER_PERMISSIONS: Record<Worker, Permission> = {
  'prepare-target': { ...WORKS, writes: ['work'], secrets: WRITES_TARGET },
  'copy-chunk': { ...WORKS, writes: ['work'], secrets: WRITES_TARGET },
  'finish-target': { ...WORKS, writes: ['work'], secrets: WRITES_TARGET },
  'hash-segments': { ...WORKS, writes: ['work'], secrets: READS_BOTH, mask: true },
  'run-checks': { ...WORKS, writes: ['work', 'checks_report'], secrets: READS_BOTH },
  'roll-back-target': { ...WORKS, writes: ['work', 'rollback_report'], secrets: WRITES_TARGET },
}

/** Seconds; a function that reads a catalog may take as long as Lambda allows, the others answer quickly or are broken. */
export function timeoutSeconds(name: LambdaFunction): number {
  if (FUNCTIONS[name].network === true) return 900
  return name === 'approval-page' || name === 'decide' ? 25 : 300
}
