import { isWaybillError, WaybillError } from '../core/errors.ts'

/** The name an AWS SDK error carries, or ''. */
export function sdkErrorName(error: unknown): string {
  return error instanceof Error ? error.name : ''
}

const DENIED = new Set(['AccessDenied', 'AccessDeniedException', 'KMSInvalidStateException', 'DisabledException', 'Forbidden'])

/**
 * What an unexpected SDK failure means to Waybill. The SDK's message is kept as the cause and never becomes the message:
 * it may quote a request.
 */
export function asWaybillError(error: unknown, doing: string): WaybillError {
  if (isWaybillError(error)) return error
  const name = sdkErrorName(error) || 'unknown error'
  if (DENIED.has(name))
    return new WaybillError('PERMISSION_DENIED', `${doing}: AWS refused it (${name}). Check this role in infra/permissions.ts.`, {
      cause: error,
    })
  return new WaybillError('CONNECTION_FAILED', `${doing}: AWS did not answer as expected (${name}). It is safe to try again.`, {
    cause: error,
  })
}

/** Whether a transaction was refused because a condition did not hold, and not because of load or a race. */
export function brokenCondition(error: unknown): boolean {
  const reasons = (error as { CancellationReasons?: { Code?: string }[] }).CancellationReasons
  return sdkErrorName(error) === 'TransactionCanceledException' && (reasons ?? []).some(({ Code }) => Code === 'ConditionalCheckFailed')
}

/** Whether the SDK sent the request more than once: an earlier answer got lost, so the refusal may be of this very request's own work. */
export function wasRetried(error: unknown): boolean {
  const { $metadata } = error as { $metadata?: { attempts?: number } }
  return ($metadata?.attempts ?? 1) > 1
}
