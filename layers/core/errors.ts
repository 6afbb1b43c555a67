import { inOneLine } from './one-line.ts'

/** Every failure Waybill can name. A Retry or Catch in `statemachines/` may match only these codes and `States.*`. */
export const ERROR_CODES = [
  'BAD_INPUT',
  'SPEC_INVALID',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'CONFLICT',
  'CONNECTION_FAILED',
  'PERMISSION_DENIED',
  'STATEMENT_TIMEOUT',
  'STREAM_TRUNCATED',
  'NOT_REPRESENTABLE',
  'TARGET_NOT_EMPTY',
  'PLAN_NOT_AUTHORISED',
  'PLAN_INVALID',
  'PROPOSAL_INVALID',
  'APPROVAL_REFUSED',
  'APPROVAL_EXPIRED',
  'ILLEGAL_TRANSITION',
  'CHUNK_INCOMPLETE',
  'SEGMENT_INCOMPLETE',
  'RETENTION_ACTIVE',
  'DISK_FULL',
  'EVIDENCE_INVALID',
  'ASL_UNSUPPORTED',
  'TOO_LARGE',
  'INTERRUPTED',
  'LEASE_LOST',
] as const

export type ErrorCode = (typeof ERROR_CODES)[number]

/** The one error class. `name` equals `code`, so that Step Functions sees the code as the error name. `message` says what to do next. */
export class WaybillError extends Error {
  readonly code: ErrorCode
  readonly details: readonly string[]

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; details?: readonly string[] } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.name = code
    this.details = options.details ?? []
  }
}

/** Message and details in one line, for a record of one field. */
export function wholeMessage({ message, details }: Pick<WaybillError, 'message' | 'details'>): string {
  const said = inOneLine(details)
  return said === '' ? message : `${message} (${said})`
}

export function isWaybillError(error: unknown): error is WaybillError {
  return error instanceof WaybillError
}
