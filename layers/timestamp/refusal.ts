import { WaybillError } from '../core/errors.ts'

/** Every reason why a timestamp counts for nothing ends in one of these. */
export function invalid(why: string): WaybillError {
  return new WaybillError('EVIDENCE_INVALID', `this timestamp does not hold: ${why}`)
}
