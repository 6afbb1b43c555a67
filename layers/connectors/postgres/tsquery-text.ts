import { WaybillError } from '../../core/errors.ts'

const VALUE = 1
const OPERATOR = 2
const NOT = 1
const SIGNS: Readonly<Record<number, string>> = { 2: '&', 3: '|' }
const PHRASE = 4
/** Bit 0 of a weight is D. */
const WEIGHTS = ['D', 'C', 'B', 'A']

type Item = { arity: 0 | 1 | 2; text: string }

/**
 * A tsquery in words that read back as the same query, with parentheses wherever an operator is an operand of another. The server itself prints
 * `a & (b & c)` and `(a & b) & c` alike, although they are not equal. `bytes` are what `tsquerysend` gives: the operator, its right operand, its left one.
 * @throws STREAM_TRUNCATED
 */
export function tsqueryText(bytes: Uint8Array): string {
  const operands: { text: string; joined: boolean }[] = []
  for (const item of items(bytes).reverse()) {
    if (item.arity === 0) {
      operands.push({ text: item.text, joined: false })
      continue
    }
    const wrapped = () => {
      const operand = operands.pop()
      if (operand === undefined) throw broken()
      return operand.joined ? `( ${operand.text} )` : operand.text
    }
    const right = wrapped()
    operands.push(item.arity === 1 ? { text: `!${right}`, joined: false } : { text: `${wrapped()} ${item.text} ${right}`, joined: true })
  }
  const [only, ...more] = operands
  if (more.length > 0) throw broken()
  return only?.text ?? ''
}

function items(bytes: Uint8Array): Item[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const found: Item[] = []
  let at = 4
  const next = () => {
    if (at >= buffer.byteLength) throw broken()
    return buffer[at++]!
  }
  const count = buffer.byteLength < 4 ? 0 : buffer.readUInt32BE(0)
  while (found.length < count) {
    const kind = next()
    if (kind === OPERATOR) {
      const operator = next()
      if (operator === NOT) found.push({ arity: 1, text: '!' })
      else if (operator === PHRASE) found.push({ arity: 2, text: phrase(next() * 256 + next()) })
      else found.push({ arity: 2, text: SIGNS[operator] ?? unknown() })
    } else if (kind === VALUE) {
      const weight = next()
      const prefix = next() === 0 ? '' : '*'
      const end = buffer.indexOf(0, at)
      if (end === -1) throw broken()
      const word = buffer.toString('utf8', at, end).replaceAll("'", "''").replaceAll('\\', '\\\\')
      const weights = WEIGHTS.filter((_, bit) => (weight >> bit) & 1).toReversed()
      const marks = `${prefix}${weights.join('')}`
      found.push({ arity: 0, text: `'${word}'${marks === '' ? '' : `:${marks}`}` })
      at = end + 1
    } else throw broken()
  }
  if (at !== Math.max(4, buffer.byteLength)) throw broken()
  return found
}

const phrase = (distance: number) => (distance === 1 ? '<->' : `<${distance}>`)

function unknown(): never {
  throw broken()
}

function broken(): WaybillError {
  return new WaybillError('STREAM_TRUNCATED', 'A value of type tsquery is not what its type sends. Run the comparison again.')
}
