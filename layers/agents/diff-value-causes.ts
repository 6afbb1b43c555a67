import { difference, type Exact, exactDecimal, isSmall, microseconds, sameRatio } from './exact-value.ts'

export type ValuePair = { source: string | null; target: string | null }
/** What would turn every source value into its target value. */
export type ValueCause = { cause: string; evidence: string; confidence: number }

const QUARTER_HOUR = 900_000_000n
const HOUR = 3_600_000_000n

/** Explanations that hold for every pair of one column, most telling first. Values themselves are never repeated. */
export function valueCauses(column: string, pairs: readonly ValuePair[]): ValueCause[] {
  if (pairs.length === 0) return []
  const name = `"${column}"`
  const all = `all ${pairs.length} differing values of ${name} that were looked at`
  const found: ValueCause[] = []
  const add = (cause: string, evidence: string, confidence: number) =>
    found.push({ cause, evidence, confidence: pairs.length < 3 ? Math.min(confidence, 0.6) : confidence })

  if (pairs.every(({ target }) => target === null)) add('Values became NULL on their way.', `${all} are NULL in the target`, 0.9)
  if (pairs.every(({ source }) => source === null)) add('NULLs were filled on their way.', `${all} are NULL in the source`, 0.9)
  if (pairs.every(({ source, target }) => (source === '' && target === null) || (source === null && target === ''))) {
    add('Empty text and NULL were taken for the same.', `${all} are empty on one side and NULL on the other`, 0.95)
  }

  const texts = pairs.flatMap(({ source, target }) => (source === null || target === null ? [] : [{ source, target }]))
  if (texts.length < pairs.length) return found
  const every = (holds: (source: string, target: string) => boolean) => texts.every(({ source, target }) => holds(source, target))

  if (every((source, target) => source.trimEnd() === target.trimEnd()))
    add('Blanks at the end were added or cut, as character(n) padding does.', `${all} are equal without blanks at the end`, 0.95)
  else if (every((source, target) => source.trim() === target.trim()))
    add('White space at an end was added or cut.', `${all} are equal without it`, 0.95)
  if (every((source, target) => source.toLowerCase() === target.toLowerCase()))
    add('Upper and lower case was changed.', `${all} are equal without case`, 0.95)
  if (every((source, target) => source.normalize('NFC') === target.normalize('NFC')))
    add('Accented letters are composed differently (NFC and NFD).', `${all} are equal once composed alike`, 0.95)
  const lengths = new Set(texts.map(({ target }) => [...target].length))
  if (lengths.size === 1 && every((source, target) => source !== target && source.startsWith(target))) {
    add(`Text was cut to ${[...lengths][0]} characters.`, `${all} begin alike and end at the same length in the target`, 0.9)
  }
  found.push(...timeCauses(texts, all).map((cause) => ({ ...cause, confidence: pairs.length < 3 ? 0.6 : cause.confidence })))
  found.push(...numberCauses(texts, all).map((cause) => ({ ...cause, confidence: pairs.length < 3 ? 0.5 : cause.confidence })))
  return found
}

function timeCauses(texts: readonly { source: string; target: string }[], all: string): ValueCause[] {
  const shifts: bigint[] = []
  for (const { source, target } of texts) {
    const from = microseconds(source)
    const to = microseconds(target)
    if (from === null || to === null) return []
    shifts.push(to - from)
  }
  const distinct = [...new Set(shifts)].sort((a, b) => (a < b ? -1 : 1))
  const [first = 0n, second] = distinct
  const hours = (shift: bigint) => `${shift < 0n ? '−' : '+'}${Number(shift < 0n ? -shift : shift) / Number(HOUR)} h`
  if (distinct.length === 1 && first % QUARTER_HOUR === 0n) {
    return [
      {
        cause: `Times were read in another time zone (${hours(first)}).`,
        evidence: `${all} are shifted by exactly ${hours(first)}`,
        confidence: 0.95,
      },
    ]
  }
  if (distinct.length === 2 && second !== undefined && second - first === HOUR && first % QUARTER_HOUR === 0n) {
    return [
      {
        cause: 'Times were read in another time zone with daylight saving time.',
        evidence: `${all} are shifted by ${hours(first)} or ${hours(second)}`,
        confidence: 0.9,
      },
    ]
  }
  if (shifts.every((shift) => shift > -1_000_000n && shift < 1_000_000n)) {
    return [{ cause: 'Decimals of a second were lost or rounded.', evidence: `${all} differ by less than a second`, confidence: 0.9 }]
  }
  return []
}

function numberCauses(texts: readonly { source: string; target: string }[], all: string): ValueCause[] {
  const numbers: { from: Exact; to: Exact }[] = []
  for (const { source, target } of texts) {
    const from = exactDecimal(source)
    const to = exactDecimal(target)
    if (from === null || to === null) return []
    numbers.push({ from, to })
  }
  const [first] = numbers
  if (first === undefined) return []
  if (numbers.every(({ from, to }) => isSmall(difference(to, from), from, 1_000_000n))) {
    return [{ cause: 'Numbers were rounded.', evidence: `${all} differ by less than a millionth`, confidence: 0.85 }]
  }
  const found: ValueCause[] = []
  if (new Set(numbers.map(({ from }) => `${from.digits}/${from.scale}`)).size > 1) {
    if (numbers.every(({ from, to }) => sameRatio(to, from, first.to, first.from))) {
      found.push({
        cause: 'A factor was applied twice, not at all, or another one was: the transform differs.',
        evidence: `${all} differ by one constant factor`,
        confidence: 0.95,
      })
    }
    const shift = difference(first.to, first.from)
    if (numbers.every(({ from, to }) => difference(difference(to, from), shift).digits === 0n)) {
      found.push({ cause: 'The same amount was added to each value.', evidence: `${all} differ by one constant amount`, confidence: 0.9 })
    }
  }
  return found
}
