import { type ErrorCode, isWaybillError, WaybillError } from '../../core/errors.ts'

type DriverError = {
  code?: unknown
  message?: unknown
  where?: unknown
  schema?: unknown
  table?: unknown
  column?: unknown
  constraint?: unknown
}

/**
 * Conditions whose message names objects, settings or addresses: of the server by class, of the system and of TLS by name, of the driver by none.
 * All others may repeat values of rows: of data, constraints and views' checks; what functions and foreign servers say; what somebody made up.
 * So may any message with a context (`where`): a line of COPY, or a RAISE, which takes whatever condition it likes.
 */
const NAMES_ONLY = /^(?:(?:08|0A|25|26|28|3D|3F|40|42|53|54|55|57|58)[0-9A-Z]{3}|E[A-Z]+|[A-Z0-9]+_[A-Z0-9_]+|)$/

/**
 * A driver or server error as a `WaybillError`. `doing` is a phrase such as `reading the source table "a"."b"`.
 * Nothing of the connection string is repeated, and no message of a data error: it would quote the data.
 */
export function failureOf(error: unknown, doing: string): WaybillError {
  if (isWaybillError(error)) return error
  const driver: DriverError = typeof error === 'object' && error !== null ? error : {}
  const state = typeof driver.code === 'string' ? driver.code : ''
  const said = typeof driver.message === 'string' ? driver.message.slice(0, 500) : 'no reason given'
  const details = [`code ${state === '' ? 'none' : state}`, ...locationOf(driver)]
  const repeat = NAMES_ONLY.test(state) && typeof driver.where !== 'string'
  const make = (code: ErrorCode, advice: string) =>
    new WaybillError(code, `Failed while ${doing}${repeat ? `: ${said}` : ` (SQLSTATE ${state})`}. ${advice}`, { details })
  if (state === '57014') return make('STATEMENT_TIMEOUT', 'Raise the statement timeout or use fewer rows per statement.')
  if (state === '55P03') return make('STATEMENT_TIMEOUT', 'Another session holds a lock; try again when it is done.')
  if (state === '28P01' || state === '28000') return make('PERMISSION_DENIED', 'Check the user and the secret of this connection.')
  if (state === '42501') return make('PERMISSION_DENIED', 'Grant the reading (or writing) role what the message names.')
  if (state === '42P01' || state === '42703' || state === '3F000' || state === '3D000')
    return make('NOT_FOUND', 'Check the name and the database of this connection.')
  if (state.startsWith('22')) return make('NOT_REPRESENTABLE', 'A value does not fit the type or transform that the plan gives it.')
  if (state.startsWith('23')) return make('CONFLICT', 'The data does not satisfy a constraint of the table.')
  if (state === '2BP01') return make('CONFLICT', 'Others built on it: remove what depends on it first. Nothing was changed.')
  if (state.startsWith('42') || state.startsWith('0A')) return make('PLAN_INVALID', 'The server cannot run what the plan asks for.')
  if (state === '40001')
    return make(
      'CONNECTION_FAILED',
      'The server gave up this statement for another one; on a replica because it had to replay its log: try again, or raise max_standby_streaming_delay there or set hot_standby_feedback.',
    )
  if (state === '25006') return make('PERMISSION_DENIED', 'This connection is read-only on purpose.')
  return make('CONNECTION_FAILED', 'Check that the server is reachable and running, then try again.')
}

/** Lost or refused connections, a server that starts or stops, too many connections, a statement given up for replay or for another one. */
const PASSING = /^code (none|08...|57P0[1235]|53300|40001|E[A-Z]+)$/

/** Whether the same may well work a little later, on new connections. */
export function mayPass(error: unknown): boolean {
  return isWaybillError(error) && error.code === 'CONNECTION_FAILED' && PASSING.test(error.details[0] ?? 'code none')
}

function locationOf(error: DriverError): string[] {
  return (['schema', 'table', 'column', 'constraint'] as const)
    .filter((field) => typeof error[field] === 'string')
    .map((field) => `${field} ${JSON.stringify(error[field])}`)
}
