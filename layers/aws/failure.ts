import { ZodError } from 'zod'
import { isWaybillError, WaybillError } from '../core/errors.ts'

/**
 * What leaves a function when it fails. A domain error keeps its code as its name, so that Retry and Catch match it, and its message. Input of the wrong shape
 * becomes BAD_INPUT, naming the fields and not their values. Anything else keeps its name only: its message may quote data or a connection string.
 */
export function outwardError(error: unknown): Error {
  if (isWaybillError(error)) return error
  if (error instanceof ZodError)
    return new WaybillError('BAD_INPUT', 'The input has another shape than expected.', {
      details: error.issues.slice(0, 20).map((issue) => `${issue.path.map(String).join('.') || '(root)'}: ${issue.code}`),
    })
  const name = error instanceof Error ? error.name : 'Error'
  const outward = new Error(`Unexpected failure (${name}). The function's log has the place where it happened.`)
  outward.name = name
  outward.stack = placesOf(error)
  return outward
}

/** The frames of a stack without the message in front of them. */
export function placesOf(error: unknown): string {
  const stack = error instanceof Error ? (error.stack ?? '') : ''
  return stack
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .join('\n')
}
