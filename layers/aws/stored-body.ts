import type { z } from 'zod'
import { WaybillError } from '../core/errors.ts'

/** The JSON text of an item's `body`. @throws EVIDENCE_INVALID when somebody changed it in the table */
export function storedBody<T>(schema: z.ZodType<T>, { body }: Record<string, unknown>, what: string): T {
  let value: unknown
  try {
    value = JSON.parse(String(body))
  } catch (cause) {
    throw new WaybillError('EVIDENCE_INVALID', `${what} in its table is no JSON any more; something else changed it.`, { cause })
  }
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  throw new WaybillError('EVIDENCE_INVALID', `${what} in its table does not have its shape; something else changed it.`)
}
