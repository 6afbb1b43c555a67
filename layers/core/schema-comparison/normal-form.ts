import { readSqlType } from '../sql-type.ts'
import { type Token, tokensOf } from './tokens.ts'

export type Names = {
  /** Types of the columns by the names that the expression uses. */
  types: ReadonlyMap<string, string>
  /** Names that the other side has for them. */
  renamed: ReadonlyMap<string, string>
}

export const NO_NAMES: Names = { types: new Map(), renamed: new Map() }

/** A longer expression is compared as printed: taking it apart would cost the square of its length. */
const MOST_TOKENS = 5000

const PLAIN_TEXT: readonly string[] = ['text', 'character varying']
const WHOLE: readonly string[] = ['smallint', 'integer', 'bigint', 'numeric']
/** Words after which a parenthesis groups; after any other word it holds arguments. */
const OPERATORS: readonly string[] = ['AND', 'OR', 'NOT', 'WHEN', 'THEN', 'ELSE', 'WHERE']
/** statement_timestamp() is not among them: within a transaction it is another instant. */
const CLOCKS: readonly string[] = ['now', 'transaction_timestamp']

/**
 * An expression as a server prints it, in one spelling: parentheses and casts that change nothing are left out, `now()` is
 * CURRENT_TIMESTAMP, columns have the other side's names. Equal forms mean the same; the same may have unequal forms. A cast is left out
 * only from a text literal or a text column to text, and from a whole number where nothing is divided.
 */
export function normalForm(expression: string, names: Names = NO_NAMES): string {
  return printed(reduced(tokensOf(expression), names))
}

/** A default in normal form: its own type's cast adds nothing, and NULL is none. */
export function normalDefault(expression: string | null, type: string, names: Names = NO_NAMES): string | null {
  if (expression === null) return null
  let tokens = reduced(tokensOf(expression), names)
  const [first, cast] = tokens
  if (tokens.length === 2 && cast?.kind === 'cast') {
    if (first?.kind === 'text' && (cast.text === type || cast.text === plainType(type))) tokens = [first]
    if (first?.kind === 'word' && first.text === 'NULL') tokens = [first]
  }
  return tokens.length === 1 && tokens[0]?.kind === 'word' && tokens[0].text === 'NULL' ? null : printed(tokens)
}

/** The sequence that `nextval('a.b'::regclass)` names, without its schema; null for any other default. */
export function sequenceOfDefault(expression: string | null): string | null {
  const tokens = expression === null ? [] : tokensOf(expression)
  const [call, open, name, ...rest] = tokens
  if (call?.text !== 'nextval' || open?.text !== '(' || name?.kind !== 'text' || rest.at(-1)?.text !== ')' || rest.length > 2) return null
  const path = tokensOf(name.text.slice(1, -1).replaceAll("''", "'"))
  return path.at(-1)?.text ?? null
}

/** Every name an expression uses: columns, functions and words. */
export function namesIn(expression: string): Set<string> {
  return new Set(tokensOf(expression).flatMap((token) => (token.kind === 'word' || token.kind === 'name' ? [token.text] : [])))
}

function reduced(tokens: Token[], names: Names): Token[] {
  let now = tokens.map((token, at): Token => {
    const column = (token.kind === 'word' || token.kind === 'name') && tokens[at + 1]?.text !== '(' && tokens[at - 1]?.text !== '.'
    const type = column ? names.types.get(token.text) : undefined
    if (type === undefined) return token
    return { kind: 'name', text: names.renamed.get(token.text) ?? token.text, type }
  })
  if (now.length > MOST_TOKENS) return now
  const divides = now.some((token) => token.kind === 'symbol' && /[/%^]/.test(token.text))
  for (;;) {
    const next = outer(arrays(clocks(literals(groups(now), divides))))
    if (next.length === now.length) return next
    now = next
  }
}

/** `(x)` → `x` around one token, `(ARRAY[…])` → `ARRAY[…]`. */
function groups(tokens: Token[]): Token[] {
  const end = (at: number): number => {
    if (tokens[at]?.text === 'ARRAY' && tokens[at + 1]?.text === '[') return tokens.findIndex((token, i) => i > at && token.text === ']')
    if (tokens[at]?.text === '-' && tokens[at + 1]?.kind === 'number') return at + 1
    return tokens[at]?.kind === 'symbol' || tokens[at]?.kind === 'cast' ? -1 : at
  }
  const kept: Token[] = []
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at]!
    const last = isOpen(token) && !calls(kept.at(-1)) ? end(at + 1) : -1
    if (last === -1 || tokens[last + 1]?.text !== ')' || tokens[last + 1]?.kind !== 'symbol') {
      kept.push(token)
      continue
    }
    const inner = tokens.slice(at + 1, last + 1)
    kept.push(...(inner[0]?.text === '-' && inner.length === 2 ? [{ kind: 'number' as const, text: `-${inner[1]?.text}` }] : inner))
    at = last + 1
  }
  return kept
}

const calls = (token: Token | undefined) =>
  token !== undefined && (token.kind === 'name' || (token.kind === 'word' && !OPERATORS.includes(token.text)))

function literals(tokens: Token[], divides: boolean): Token[] {
  return tokens.flatMap((token, at): Token[] => {
    const [before, after] = [tokens[at - 1], tokens[at + 1]]
    if (token.kind === 'text' && after?.kind === 'cast' && WHOLE.includes(after.text) && /^'-?\d+'$/.test(token.text)) {
      return [{ kind: 'number', text: token.text.slice(1, -1) }]
    }
    if (token.kind !== 'cast' || before === undefined) return [token]
    const toText = PLAIN_TEXT.includes(token.text)
    const isText = before.kind === 'text' || (before.type !== undefined && PLAIN_TEXT.includes(plainType(before.type)))
    if (toText && isText) return []
    if (!WHOLE.includes(token.text)) return [token]
    if (before.kind === 'text' && /^'-?\d+'$/.test(before.text)) return []
    return before.kind === 'number' && /^-?\d+$/.test(before.text) && !divides ? [] : [token]
  })
}

function clocks(tokens: Token[]): Token[] {
  const at = tokens.findIndex((token, i) => CLOCKS.includes(token.text) && token.kind === 'word' && tokens[i + 1]?.text === '(')
  if (at === -1 || tokens[at + 2]?.text !== ')') return tokens
  return [...tokens.slice(0, at), { kind: 'word', text: 'CURRENT_TIMESTAMP' }, ...tokens.slice(at + 3)]
}

/** `ARRAY['a', 'b']::text[]` → `ARRAY['a', 'b']`. */
function arrays(tokens: Token[]): Token[] {
  const at = tokens.findIndex((token, i) => {
    if (token.kind !== 'cast' || !PLAIN_TEXT.some((text) => token.text === `${text}[]`) || tokens[i - 1]?.text !== ']') return false
    const start = tokens.findLastIndex((earlier, j) => j < i && earlier.kind === 'symbol' && earlier.text === '[')
    return tokens[start - 1]?.text === 'ARRAY' && tokens.slice(start + 1, i - 1).every((one) => one.kind === 'text' || one.text === ',')
  })
  return at === -1 ? tokens : tokens.toSpliced(at, 1)
}

/** Parentheses around the whole, or directly around parentheses. */
function outer(tokens: Token[]): Token[] {
  for (const [at, token] of tokens.entries()) {
    const doubled = isOpen(tokens[at + 1]) && !calls(tokens[at - 1])
    if (!isOpen(token) || (at > 0 && !doubled)) continue
    const end = closing(tokens, at)
    const goes = (at === 0 && end === tokens.length - 1) || (doubled && closing(tokens, at + 1) === end - 1)
    if (end !== -1 && goes) return tokens.filter((_, index) => index !== at && index !== end)
  }
  return tokens
}

const isOpen = (token: Token | undefined) => token?.kind === 'symbol' && token.text === '('

/** Where the parenthesis at `at` closes; -1 where it does not. */
function closing(tokens: readonly Token[], at: number): number {
  let depth = 0
  return tokens.findIndex((token, i) => {
    if (i < at || token.kind !== 'symbol') return false
    depth += token.text === '(' ? 1 : token.text === ')' ? -1 : 0
    return depth === 0 && token.text === ')'
  })
}

/** `int4` and `integer` are one type; what is outside the closed list is compared as printed. */
export const spelled = (type: string) => readSqlType(type)?.text ?? type

/** The type without length or precision, in the server's own spelling. */
export function plainType(type: string): string {
  const read = readSqlType(type)
  return read === null ? type : `${read.base}${read.array ? '[]' : ''}`
}

function printed(tokens: readonly Token[]): string {
  return tokens
    .map((token) => (token.kind === 'name' ? JSON.stringify(token.text) : token.kind === 'cast' ? `::${token.text}` : token.text))
    .join(' ')
}
