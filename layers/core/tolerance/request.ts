import { z } from 'zod'
import { WaybillError } from '../errors.ts'
import { decimal } from '../schemas/common.ts'
import type { TableRecon } from '../schemas/proposal.ts'

/** `absolute`: a decimal. `relative`: a share, 0.001 for a thousandth. `time`: milliseconds, down to 0.001. */
export type Tolerance = TableRecon['tolerances'][number]

export const TOLERANCE_FORMS = '0.01 (absolute), 0.1% (relative), or 1ms, 500us, 2s (time)'

const FORM = /^((?:0|[1-9][0-9]{0,30})(?:\.[0-9]{1,30})?)(%|us|ms|s)?$/
/** A tolerance in a spec or a configuration. */
export const toleranceText = z.string().max(80).regex(FORM, `a tolerance is one of ${TOLERANCE_FORMS}`)

/** Places by which the decimal point moves to the unit that `Tolerance.value` has. */
const SHIFT: Readonly<Record<string, number>> = { '%': -2, us: -3, ms: 0, s: 3 }

/** A tolerance as a person writes it, or null when it is none of the forms. Well-formed is not yet allowed: see `toleranceFault`. */
export function readTolerance(column: string, text: string): Tolerance | null {
  const match = FORM.exec(text)
  if (match === null) return null
  const [, value = '', unit] = match
  if (unit === undefined) return { column, kind: 'absolute', value: shifted(value, 0) }
  return { column, kind: unit === '%' ? 'relative' : 'time', value: shifted(value, SHIFT[unit]!) }
}

/** Column → text, as requested, in the order of the columns' names. @throws BAD_INPUT for a text of another form */
export function requestedTolerances(requested: Readonly<Record<string, string>> | undefined): Tolerance[] {
  const entries = Object.entries(requested ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))
  return entries.map(([column, text]) => {
    const tolerance = readTolerance(column, text)
    if (tolerance === null)
      throw new WaybillError('BAD_INPUT', `The tolerance on column ${JSON.stringify(column)} cannot be read. Write ${TOLERANCE_FORMS}.`)
    return tolerance
  })
}

/** The decimal point moved, trailing zeros dropped: one value, one text. */
function shifted(value: string, places: number): string {
  const [whole = '', fraction = ''] = value.split('.')
  const digits = `000${whole}${fraction}000`
  const at = 3 + whole.length + places
  const rest = digits.slice(at).replace(/0+$/, '')
  return `${digits.slice(0, at).replace(/^0+(?=.)/, '')}${rest === '' ? '' : `.${rest}`}`
}

/** Why this is no tolerance that anything could be held to, in words; null when it is one. */
export function toleranceFault({ kind, value }: Tolerance): string | null {
  if (value.length > 64 || !decimal.safeParse(value).success || value.startsWith('-')) return 'is not a plain decimal number from 0'
  if (/^[0.]+$/.test(value)) return 'is 0 and tolerates nothing'
  if (kind === 'relative' && !value.startsWith('0.')) return 'is 100 % or more and would excuse every difference'
  if (kind === 'time' && (value.split('.')[1] ?? '').length > 3) return 'is finer than a microsecond'
  return null
}

/** `0.01`, `0.1 %`, `1 ms`. */
export function toleranceInWords({ kind, value }: Pick<Tolerance, 'kind' | 'value'>): string {
  if (kind === 'absolute') return value
  return kind === 'time' ? `${value} ms` : `${shifted(value.padEnd(4, value.includes('.') ? '0' : ''), 2)} %`
}
