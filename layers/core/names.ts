/**
 * One name everywhere: ASL state `ValidatePlan`, folder `functions/validate-plan/`, placeholder `${ValidatePlanFunctionArn}`.
 * A state that calls a function for one of several purposes is named `<Function>For<Purpose>`.
 */

/** Lambda functions called by a Task state. */
export const TASK_FUNCTIONS = [
  'create-project',
  'discover',
  'profile',
  'propose-mapping',
  'propose-rewrite',
  'propose-recon',
  'request-decisions',
  'compile-plan',
  'validate-plan',
  'request-approval',
  'sign-plan',
  'plan-chunks',
  'record-execution',
  'open-reconciliation',
  'plan-segments',
  'merge-segments',
  'explain-differences',
  'close-reconciliation',
  'prove-outcome',
  'create-pull-request',
  'record-parallel-run',
  'prepare-cutover',
  'cutover',
  'seal-evidence',
  'record-rejection',
  'record-rollback',
  'record-failure',
  'stop-workers',
] as const

/** Lambda functions behind the HTTP API or called by another function. */
export const ENDPOINT_FUNCTIONS = ['approval-page', 'decide', 'anchor-audit'] as const

/** Workers: containers on Fargate, child processes on a laptop. Only these may touch a target. */
export const WORKERS = ['prepare-target', 'copy-chunk', 'finish-target', 'hash-segments', 'run-checks', 'roll-back-target'] as const

export type Worker = (typeof WORKERS)[number]

export const STATE_MACHINES = ['migration', 'reconcile'] as const

/** `validate-plan` → `ValidatePlan` */
export function stateName(folder: string): string {
  return folder
    .split('-')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('')
}

/** `ValidatePlan` or `RequestApprovalForPlan` → `validate-plan`, `request-approval` */
export function folderName(state: string): string {
  const base = state.replace(/For[A-Z].*$/, '')
  return base.replace(/([a-z])([A-Z])/g, '$1-$2').toLowerCase()
}

/** A worker touches this file of its temporary folder; when it is older than `ALIVE_FOR_MS`, the worker hangs. */
export const ALIVE_FILE = 'waybill-alive'
export const ALIVE_FOR_MS = 60_000

/** Database users that sign in with IAM, by what they may do; the same on every database. */
export const DATABASE_USERS = {
  source: 'waybill_source',
  'target-reader': 'waybill_target_reader',
  'target-writer': 'waybill_target_writer',
} as const

/**
 * What signatures are made for. Each purpose has its own key, and each key only the functions whose work it is. What proves (`evidence`) cannot vouch
 * for the log that it proves from (`anchor`): otherwise one key could make both up.
 */
export const SIGNING_PURPOSES = ['plan', 'approval', 'evidence', 'anchor'] as const
export type SigningPurpose = (typeof SIGNING_PURPOSES)[number]

/** `WAYBILL_SIGN_PLAN_KEY`: where a function is told the key that it may sign with. */
export function signVariable(purpose: SigningPurpose): string {
  return `WAYBILL_SIGN_${purpose.toUpperCase()}_KEY`
}

/** `WAYBILL_TRUST_PLAN_KEYS`: where a function is told the keys that it takes signatures of, with commas between them. */
export function trustVariable(purpose: SigningPurpose): string {
  return `WAYBILL_TRUST_${purpose.toUpperCase()}_KEYS`
}

/**
 * What message authentication codes are made for, a key each. The links that are mailed: to an approval, to where a passkey is registered, to where
 * a finding is waived, to where the author withdraws the plan. `page`: form tokens, sessions, sign-ins under way. `person`: a name for somebody in
 * a listing, computed again and never checked.
 */
export const MAC_PURPOSES = ['approvalLink', 'registrationLink', 'waiverLink', 'withdrawalLink', 'page', 'person'] as const
export type MacPurpose = (typeof MAC_PURPOSES)[number]

/** `WAYBILL_CHECK_APPROVAL_LINK_KEY`: where a function is told the key that it may make or check with. */
export function macVariable(right: 'MAKE' | 'CHECK', purpose: MacPurpose): string {
  return `WAYBILL_${right}_${purpose.replace(/[A-Z]/g, '_$&').toUpperCase()}_KEY`
}

/** One of each. */
export function oneEach<P extends string, T>(purposes: readonly P[], make: (purpose: P) => T): Record<P, T> {
  return Object.fromEntries(purposes.map((purpose) => [purpose, make(purpose)])) as Record<P, T>
}

/** What the code measures for the dashboard, as fields `metrics` of a line in the log. */
export const METRICS = ['ApprovalsWaiting', 'Mismatches', 'RowsCompared', 'RowsCopied', 'WorkerSeconds'] as const
export type Metric = (typeof METRICS)[number]
export const METRIC_NAMESPACE = 'Waybill'
