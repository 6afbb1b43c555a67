import jsonata from 'jsonata'
import type { Json } from './definition.ts'
import { StateFailed } from './failure.ts'

/** JSON text of a payload has at most this many bytes, as in the service. */
export const PAYLOAD_LIMIT = 262_144

/**
 * Refused: what reads a clock or randomness of its own (a resumed run must compute the same), what runs code out of data, and what only the
 * service has.
 */
const REFUSED = new Set(['eval', 'now', 'millis', 'random', 'uuid', 'shuffle', 'hash', 'partition', 'range'])

const compiled = new Map<string, jsonata.Expression>()

export function isExpression(text: string): boolean {
  return text.startsWith('{%') && text.endsWith('%}')
}

/** @returns what is wrong with an expression, or null */
export function expressionFault(text: string): string | null {
  if (!text.startsWith('{%')) return null
  if (!text.endsWith('%}')) return 'an expression ends with %}'
  let ast: unknown
  try {
    ast = compile(text).ast()
  } catch (error) {
    return `not JSONata: ${(error as Error).message}`
  }
  const refused = variablesOf(ast).find((name) => REFUSED.has(name))
  return refused === undefined ? null : `$${refused} is not available`
}

/**
 * A template with its expressions replaced by their values.
 * @throws StateFailed States.QueryEvaluationError when an expression fails or has no JSON value
 */
export async function evaluate(template: Json, bindings: Record<string, unknown>): Promise<Json> {
  if (typeof template === 'string') return isExpression(template) ? value(template, bindings) : template
  if (Array.isArray(template)) return Promise.all(template.map((item) => evaluate(item, bindings)))
  if (typeof template !== 'object' || template === null) return template
  const entries = await Promise.all(Object.entries(template).map(async ([key, inner]) => [key, await evaluate(inner, bindings)] as const))
  return Object.fromEntries(entries)
}

/** @throws StateFailed States.DataLimitExceeded */
export function limited<T>(payload: T, what: string): T {
  const bytes = Buffer.byteLength(JSON.stringify(payload) ?? '')
  if (bytes > PAYLOAD_LIMIT)
    throw new StateFailed('States.DataLimitExceeded', `The ${what} has ${bytes} bytes; a state passes at most ${PAYLOAD_LIMIT}.`)
  return payload
}

async function value(text: string, bindings: Record<string, unknown>): Promise<Json> {
  let result: unknown
  try {
    result = await compile(text).evaluate(undefined, bindings)
  } catch (error) {
    throw new StateFailed('States.QueryEvaluationError', `${text} failed: ${(error as Error).message}`)
  }
  const json = asJson(result)
  if (json === undefined) throw new StateFailed('States.QueryEvaluationError', `${text} has no value that JSON can hold.`)
  return json
}

function compile(text: string): jsonata.Expression {
  let found = compiled.get(text)
  if (found === undefined) {
    found = jsonata(text.slice(2, -2))
    found.registerFunction('parse', (json: string) => JSON.parse(json), '<s:x>')
    compiled.set(text, found)
  }
  return found
}

/** A plain copy; undefined when any part is a function, undefined or not a finite number. */
function asJson(result: unknown): Json | undefined {
  if (result === null || typeof result === 'string' || typeof result === 'boolean') return result
  if (typeof result === 'number') return Number.isFinite(result) ? result : undefined
  if (typeof result !== 'object') return undefined
  if (Array.isArray(result)) {
    const items = result.map(asJson)
    return items.some((item) => item === undefined) ? undefined : (items as Json[])
  }
  const entries: [string, Json][] = []
  for (const [key, inner] of Object.entries(result as Record<string, unknown>)) {
    const json = asJson(inner)
    if (json === undefined) return undefined
    entries.push([key, json])
  }
  return Object.fromEntries(entries)
}

function variablesOf(node: unknown): string[] {
  if (typeof node !== 'object' || node === null) return []
  const own = 'type' in node && node.type === 'variable' && 'value' in node ? [String(node.value)] : []
  return own.concat(Object.values(node).flatMap(variablesOf))
}
