import { ERROR_CODES } from '../errors.ts'

/** A failure as the record keeps it: a Waybill code (or `UNEXPECTED`), and a reason that holds only our own sentences. */
export type FailureReason = { code: string; reason: string }

const CODES: ReadonlySet<string> = new Set(ERROR_CODES)
const MOST = 2000

/**
 * Reads what a state caught. `Cause` is whatever the service passes on: JSON of a function's error, of a stopped container, of a nested
 * execution, or plain text; another library's words in it may quote rows or addresses and are never repeated.
 */
export function failureReason(error: string, cause: string): FailureReason {
  const inner = fields(cause)
  if (CODES.has(error)) return { code: error, reason: sentence(inner) ?? 'The audit log holds more.' }
  for (const [code, text] of [
    [inner.error, inner.cause],
    [inner.Error, inner.Cause],
    [inner.errorType, inner.errorMessage],
  ]) {
    if (code !== undefined && CODES.has(code))
      return { code, reason: sentence(fields(text ?? '')) ?? text?.slice(0, MOST) ?? 'The audit log holds more.' }
  }
  if (error === 'States.Timeout') return { code: 'States.Timeout', reason: 'A step took longer than it may.' }
  return {
    code: 'UNEXPECTED',
    reason: `A step failed with ${error.replace(/[^A-Za-z0-9._-]/g, '').slice(0, 100) || 'no name'}; the log has the rest.`,
  }
}

function sentence(inner: Record<string, string>): string | undefined {
  return (inner.errorMessage ?? inner.cause)?.slice(0, MOST)
}

/** The text fields of a JSON object, also of one at the end of a sentence, as a Map's failure quotes its first item's; empty for anything else. */
function fields(text: string): Record<string, string> {
  const object = /\{[\s\S]*\}\s*$/.exec(text)?.[0] ?? ''
  try {
    const value: unknown = JSON.parse(object)
    if (typeof value !== 'object' || value === null) return {}
    return Object.fromEntries(Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'))
  } catch {
    return {}
  }
}
