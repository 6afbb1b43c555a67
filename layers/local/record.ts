import type { z } from 'zod'
import { WaybillError } from '../core/errors.ts'

/** A value about to be stored. @throws BAD_INPUT naming the fields, never their values */
export function checked<S extends z.ZodType>(schema: S, value: unknown, what: string): z.infer<S> {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  throw new WaybillError('BAD_INPUT', `This is not ${what}; nothing was stored.`, { details: faults(parsed.error) })
}

/** JSON text read back from the home. @throws EVIDENCE_INVALID when someone changed it there */
export function stored<S extends z.ZodType>(schema: S, text: unknown, what: string): z.infer<S> {
  let value: unknown
  try {
    value = JSON.parse(String(text))
  } catch (cause) {
    throw new WaybillError('EVIDENCE_INVALID', `${what} in the home is not JSON any more; it was changed by something else.`, { cause })
  }
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  throw new WaybillError('EVIDENCE_INVALID', `${what} in the home does not have its shape; it was changed by something else.`, {
    details: faults(parsed.error),
  })
}

function faults(error: z.ZodError): string[] {
  return error.issues.slice(0, 20).map((issue) => `${issue.path.join('/')}: ${issue.message}`)
}
