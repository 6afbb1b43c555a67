import { isAlias, isCollection, isMap, isScalar, LineCounter, type Node, parseDocument, visit } from 'yaml'
import { WaybillError } from './errors.ts'

/** Largest spec read, in bytes: ten thousand tables with their columns fit well. */
const MAX_BYTES = 8 * 1024 * 1024
const MAX_DEPTH = 32
const MAX_REPORTED = 20

export type SpecPath = readonly PropertyKey[]
export type SpecText = {
  value: unknown
  /** `line 12, column 5` of the value at a path, or of its nearest ancestor that exists; of its name when `name` is given. */
  place(path: SpecPath, name?: string): string
}

/**
 * YAML 1.2 or JSON to plain data. Stricter than YAML: one document, text keys, no duplicate keys, no anchors, aliases, merge keys or tags,
 * no integer that a double would round.
 * @throws SPEC_INVALID with a line and column for each fault
 */
export function readSpecText(input: Uint8Array | string): SpecText {
  const text = typeof input === 'string' ? input : decode(input)
  if (new TextEncoder().encode(text).length > MAX_BYTES) throw refusal([`the spec is longer than ${MAX_BYTES} bytes`])
  const lines = new LineCounter()
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(offset)
    return `line ${line}, column ${col}`
  }
  try {
    const document = parseDocument(text, {
      lineCounter: lines,
      uniqueKeys: true,
      strict: true,
      version: '1.2',
      schema: 'core',
      prettyErrors: false,
      logLevel: 'error',
    })
    const faults = [...document.errors, ...document.warnings].map((error) => `${at(error.pos[0])}: ${wording(error.code, error.message)}`)
    if (faults.length === 0) faults.push(...shapeFaults(document.contents, at))
    if (faults.length > 0) throw refusal(faults)
    if (!isMap(document.contents))
      throw refusal(['line 1, column 1: a spec is a mapping of names to values, such as "migration_id: my-migration"'])
    const root = document.contents
    return { value: document.toJS({ maxAliasCount: 0 }), place: (path, name) => at(offsetOf(root, path, name)) }
  } catch (error) {
    if (error instanceof RangeError) throw refusal([`the spec is nested deeper than ${MAX_DEPTH} levels`])
    throw error
  }
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw refusal(['the spec is not UTF-8 text'])
  }
}

function wording(code: string, message: string): string {
  if (code === 'DUPLICATE_KEY') return 'this name occurs twice in one mapping; keep one of them'
  if (code === 'MULTIPLE_DOCS') return 'a second document starts here; a spec is one document'
  if (message.includes('call stack')) return `nested deeper than ${MAX_DEPTH} levels`
  return `${message.charAt(0).toLowerCase()}${message.slice(1, 200)}`
}

/** What YAML allows and a spec does not. */
function shapeFaults(contents: Node | null, at: (offset: number) => string): string[] {
  const faults: string[] = []
  visit(contents, (key, node, ancestors) => {
    if (typeof node !== 'object' || node === null || !('range' in node)) return undefined
    const say = (what: string) => faults.push(`${at((node as Node).range?.[0] ?? 0)}: ${what}`)
    if (ancestors.length > MAX_DEPTH * 2) {
      say(`nested deeper than ${MAX_DEPTH} levels`)
      return visit.BREAK
    }
    if (isAlias(node)) say('an alias (*name); write the value out')
    else if ((isScalar(node) || isCollection(node)) && node.anchor !== undefined) say('an anchor (&name); write the value out')
    else if ((isScalar(node) || isCollection(node)) && node.tag !== undefined) say('a tag (!name); a spec holds plain values only')
    if (key === 'key' && !(isScalar(node) && typeof node.value === 'string')) say('a name must be text; put it in quotes')
    if (isScalar(node) && typeof node.value === 'string' && (!node.value.isWellFormed() || node.value.includes('\u0000')))
      say('text with half a character or NUL in it')
    if (
      isScalar(node) &&
      typeof node.value === 'number' &&
      (!Number.isFinite(node.value) || (Number.isInteger(node.value) && !Number.isSafeInteger(node.value)))
    ) {
      say('a number that cannot be held exactly; put it in quotes')
    }
    return faults.length >= MAX_REPORTED ? visit.BREAK : undefined
  })
  return faults
}

function offsetOf(root: Node, path: SpecPath, name?: string): number {
  let node: Node = root
  for (const step of path) {
    const next: unknown = isCollection(node) ? node.get(step, true) : undefined
    if (typeof next !== 'object' || next === null || !('range' in next)) break
    node = next as Node
  }
  if (name !== undefined && isMap(node)) {
    const pair = node.items.find((item) => isScalar(item.key) && item.key.value === name)
    if (pair !== undefined && isScalar(pair.key)) return pair.key.range?.[0] ?? 0
  }
  return node.range?.[0] ?? 0
}

/** One error that lists every fault; the message carries the first. */
export function refusal(faults: readonly string[]): WaybillError {
  const more = faults.length > 1 ? ` (and ${faults.length - 1} more)` : ''
  return new WaybillError('SPEC_INVALID', `The migration spec cannot be used: ${faults[0]}${more}. Correct it and start again.`, {
    details: faults.slice(0, MAX_REPORTED),
  })
}
