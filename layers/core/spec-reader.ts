import type { z } from 'zod'
import { type MigrationSpec, migrationSpec } from './schemas/spec.ts'
import { allowedNames, didYouMean } from './spec-hint.ts'
import { specFaults } from './spec-rules.ts'
import { readSpecText, refusal, type SpecText } from './spec-text.ts'

/**
 * Reads a migration spec from YAML or JSON. Errors give line, column, path, and what is allowed there; values are never repeated,
 * since a password may stand where a secret_ref belongs.
 * @throws SPEC_INVALID; `details` lists every fault
 */
export function readSpec(input: Uint8Array | string): MigrationSpec {
  const text = readSpecText(input)
  const parsed = migrationSpec.safeParse(text.value)
  if (!parsed.success) throw refusal(parsed.error.issues.flatMap((issue) => issueSentences(issue, text)))
  const faults = specFaults(parsed.data)
  if (faults.length > 0) throw refusal(faults.map(({ path, what }) => `${text.place(path)}: ${printPath(path)}: ${what}`))
  return parsed.data
}

type Issue = z.core.$ZodIssue

/** What is wrong in a document of one schema, with line and column. `about`: another document than a migration spec. */
export function issueSentences(issue: Issue, text: SpecText, about: { schema?: object; whole?: string } = {}): string[] {
  const value = valueAt(text.value, issue.path)
  if (issue.code === 'unrecognized_keys') {
    const allowed = allowedNames(issue.path, text.value, about.schema)
    return issue.keys.map((key) => {
      const near = didYouMean(key, allowed)
      const hint = near === null ? `allowed here: ${allowed.join(', ')}` : `did you mean "${near}"?`
      return `${text.place(issue.path, key)}: ${printPath([...issue.path, key])}: there is no such field; ${hint}`
    })
  }
  const last = issue.path.at(-1)
  const missing = value === undefined && typeof last === 'string'
  const where = missing ? text.place(issue.path.slice(0, -1)) : text.place(issue.path)
  return [`${where}: ${printPath(issue.path, about.whole)}: ${missing ? `is missing${missingHint(issue)}` : explain(issue, value)}`]
}

function missingHint(issue: Issue): string {
  if (issue.code === 'invalid_value') return `; one of ${issue.values.map(String).join(', ')}`
  return issue.code === 'invalid_type' ? `; ${article(issue.expected)} is expected` : ''
}

function explain(issue: Issue, value: unknown): string {
  switch (issue.code) {
    case 'invalid_type':
      if (issue.expected === 'string' && (typeof value === 'number' || typeof value === 'boolean')) {
        return `must be text; put it in quotes, so that it stays exactly as written: "${String(value)}"`
      }
      return `must be ${article(issue.expected)}, not ${article(kindOf(value))}`
    case 'invalid_value':
      return near(value, issue.values.map(String))
    case 'invalid_union':
      return near(value, 'options' in issue && Array.isArray(issue.options) ? issue.options.map(String) : [])
    default:
      return issue.message
  }
}

function near(value: unknown, allowed: readonly string[]): string {
  const guess = typeof value === 'string' ? didYouMean(value, allowed) : null
  return `must be one of ${allowed.join(', ')}${guess === null ? '' : `; did you mean "${guess}"?`}`
}

function kindOf(value: unknown): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'array' : typeof value
}

function article(kind: string): string {
  const words: Record<string, string> = {
    string: 'text',
    array: 'a list',
    object: 'a mapping',
    int: 'a whole number',
    number: 'a number',
    boolean: 'true or false',
    null: 'nothing',
  }
  return words[kind] ?? kind
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (current, step) => (typeof current === 'object' && current !== null ? (current as Record<PropertyKey, unknown>)[step] : undefined),
    value,
  )
}

/** `tables[0].columns[3].type` */
export function printPath(path: readonly PropertyKey[], whole = 'the spec'): string {
  if (path.length === 0) return whole
  return path
    .map((step, index) => (typeof step === 'number' ? `[${step}]` : `${index === 0 ? '' : '.'}${String(step).slice(0, 80)}`))
    .join('')
}
