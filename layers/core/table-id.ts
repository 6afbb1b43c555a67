import { sha256 } from './digest.ts'
import type { QualifiedName } from './schemas/common.ts'
import type { SystemType } from './schemas/spec.ts'

/** Leaves room for a prefix such as `add-foreign-keys-` and a suffix within a slug's 80 characters. */
const MAX_LENGTH = 40

/**
 * Short names for target tables, in the order given. A table's own name where it is a unique slug; otherwise what is left of
 * it and eight digits of a hash, so that the same table always gets the same id.
 */
export function tableIds(targets: readonly QualifiedName[]): string[] {
  const times = Map.groupBy(targets, (target) => target.name)
  return targets.map((target) => {
    const isSlug = /^[a-z0-9][a-z0-9_-]*$/.test(target.name) && target.name.length <= MAX_LENGTH
    if (isSlug && times.get(target.name)?.length === 1) return target.name
    const words = target.name.toLowerCase().match(/[a-z0-9]+/g) ?? ['t']
    const hash = sha256(JSON.stringify([target.schema, target.name])).slice(0, 8)
    return `${words.join('_').slice(0, MAX_LENGTH - 9)}-${hash}`
  })
}

/** Finds the position of the table that a spec means by a name: its table id, its target name when only one table has it, or `schema.name`; null when none or several fit. */
export function tableFinder(targets: readonly QualifiedName[]): (name: string) => number | null {
  const byId = new Map(tableIds(targets).map((id, index) => [id, index]))
  const byName = new Map<string, number | null>()
  const add = (name: string, index: number) => byName.set(name, byName.has(name) ? null : index)
  for (const [index, target] of targets.entries()) {
    add(target.name, index)
    add(`${target.schema}.${target.name}`, index)
  }
  return (name) => byId.get(name) ?? byName.get(name) ?? null
}

const PART = /"((?:[^"]|"")+)"|([^".\s][^".]*)/y

/**
 * The object a spec's `source` means. A table is `schema.name`, where a part may stand in double quotes (`"odd.schema"."table"`); case counts.
 * A file is its path or glob, under the schema `files`. Null when it is neither.
 */
export function sourceObject(systemType: SystemType, source: string): (QualifiedName & { kind: 'table' | 'file' }) | null {
  if (systemType !== 'POSTGRESQL') return { schema: 'files', name: source, kind: 'file' }
  const parts: string[] = []
  let at = 0
  while (at < source.length) {
    PART.lastIndex = at
    const match = PART.exec(source)
    if (match === null) return null
    parts.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? '')
    at = PART.lastIndex
    if (at < source.length) {
      if (source[at] !== '.' || at === source.length - 1) return null
      at += 1
    }
  }
  const [schema, name, ...rest] = parts
  return schema === undefined || name === undefined || rest.length > 0 ? null : { schema, name, kind: 'table' }
}
