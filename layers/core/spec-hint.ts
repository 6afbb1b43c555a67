import { z } from 'zod'
import { migrationSpec } from './schemas/spec.ts'

type JsonSchema = {
  properties?: Record<string, JsonSchema>
  items?: JsonSchema
  oneOf?: JsonSchema[]
  anyOf?: JsonSchema[]
  const?: unknown
  [key: string]: unknown
}

let cached: JsonSchema | undefined

/** The migration spec as JSON Schema, for editors and for hints. */
export function specJsonSchema(): JsonSchema {
  cached ??= z.toJSONSchema(migrationSpec, { io: 'input' }) as JsonSchema
  return cached
}

/** Names allowed in the mapping at a path, given the spec as written (which kind of transform or check stands there). */
export function allowedNames(path: readonly PropertyKey[], value: unknown, document: object = specJsonSchema()): string[] {
  let schema: JsonSchema | undefined = pick(document as JsonSchema, value)
  let current = value
  for (const step of path) {
    current = typeof current === 'object' && current !== null ? (current as Record<PropertyKey, unknown>)[step] : undefined
    const next = typeof step === 'number' ? schema?.items : schema?.properties?.[String(step)]
    schema = next === undefined ? undefined : pick(next, current)
  }
  return Object.keys(schema?.properties ?? {})
}

/** Of several shapes, the one whose `kind` the value has. */
function pick(schema: JsonSchema, value: unknown): JsonSchema | undefined {
  const shapes = schema.oneOf ?? schema.anyOf
  if (shapes === undefined) return schema
  const kind = typeof value === 'object' && value !== null ? (value as { kind?: unknown }).kind : undefined
  return shapes.find((shape) => shape.properties?.kind?.const === kind)
}

/** The nearest allowed name, when it is near enough to be a slip of the finger. */
export function didYouMean(name: string, allowed: readonly string[]): string | null {
  const near = allowed
    .map((candidate) => ({ candidate, distance: editDistance(name.slice(0, 64).toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ candidate, distance }) => distance <= Math.max(2, Math.floor(candidate.length / 3)))
    .sort((a, b) => a.distance - b.distance || (a.candidate < b.candidate ? -1 : 1))
  return near[0]?.candidate ?? null
}

/** Insertions, deletions, substitutions and swaps of neighbours. */
function editDistance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, index) => index)]
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i]
    for (let j = 1; j <= b.length; j += 1) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1
      let best = Math.min(rows[i - 1]![j]! + 1, row[j - 1]! + 1, rows[i - 1]![j - 1]! + cost)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) best = Math.min(best, rows[i - 2]![j - 2]! + 1)
      row.push(best)
    }
    rows.push(row)
  }
  return rows[a.length]![b.length]!
}
