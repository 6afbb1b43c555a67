/** How a state failed: an error name of the States Language or one of Waybill's codes, and why. */
export type Failure = { error: string; cause: string }

/**
 * Carries a failure from where it happened to the state's Retry and Catch. Never leaves the interpreter: outside it, a failure is data.
 * Not a WaybillError, because error names of the States Language are not Waybill's codes.
 */
export class StateFailed extends Error {
  readonly failure: Failure

  constructor(error: string, cause: string) {
    super(`${error}: ${cause}`)
    this.name = 'StateFailed'
    // Limits of the service, in characters.
    this.failure = { error: error.slice(0, 256), cause: cause.slice(0, 32_768) }
  }
}

/** The run was told to stop, or lost its right to write. Whatever was recorded stays; nothing more is. */
export class Halted extends Error {
  constructor() {
    super('halted')
    this.name = 'Halted'
  }
}

export const STATES_ERRORS = [
  'States.ALL',
  'States.TaskFailed',
  'States.Timeout',
  'States.HeartbeatTimeout',
  'States.DataLimitExceeded',
  'States.ExceedToleratedFailureThreshold',
  'States.ItemReaderFailed',
  'States.ResultWriterFailed',
  'States.QueryEvaluationError',
  'States.NoChoiceMatched',
]

/**
 * Whether a Retry or Catch entry takes an error. As in the service: `States.ALL` takes all but the data limit, `States.TaskFailed` all but
 * that and timeouts, `States.Timeout` also a missed heartbeat.
 */
export function takes(names: readonly string[], error: string): boolean {
  if (names.includes(error)) return true
  if (error === 'States.DataLimitExceeded') return false
  if (names.includes('States.ALL')) return true
  const timeout = error === 'States.Timeout' || error === 'States.HeartbeatTimeout'
  return timeout ? names.includes('States.Timeout') : names.includes('States.TaskFailed')
}
