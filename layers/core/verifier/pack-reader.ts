import type { z } from 'zod'
import { type JsonLimits, parseStrictJson } from '../canonical-json.ts'
import type { PackFile, PackKey } from '../evidence/pack-files.ts'
import { inOneLine } from '../one-line.ts'
import type { TrustRoot } from '../ports.ts'
import { packPath } from '../schemas/evidence.ts'

/** How the verifier gets at a pack. Paths are relative, with `/`. */
export type PackReader = {
  /** Every file there is, listed or not; and what has no place in a pack: links, devices, empty folders. */
  list(): Promise<{ files: string[]; strays: { path: string; what: string }[] }>
  read(path: string): Promise<Uint8Array>
}

/** A pack that is already in memory. */
export function memoryReader(files: readonly PackFile[]): PackReader {
  const byPath = new Map(files.map(({ path, bytes }) => [path, bytes]))
  return {
    list: async () => ({ files: [...byPath.keys()], strays: [] }),
    read: async (path) => byPath.get(path) ?? Promise.reject(new Error(`there is no ${path}`)),
  }
}

export type Check = { name: string; verdict: 'pass' | 'fail' | 'not-applicable'; says: string }

/** A pack's bytes, and the keys its statements are checked against. */
export type OpenedPack = {
  files: ReadonlyMap<string, Uint8Array>
  keys: readonly PackKey[]
  trust: TrustRoot
}

/** Collects what is wrong with one file or part; an empty list passes. */
export class Faults {
  readonly list: string[] = []

  add(path: string, what: string): void {
    this.list.push(`${path}: ${what}`)
  }

  all(path: string, what: readonly string[]): void {
    for (const sentence of what) this.add(path, sentence)
  }
}

const LIMITS: JsonLimits = { maxDepth: 64 }

/** A file of the pack as JSON of one shape; null, with the fault noted, when it is missing or anything else. */
export function readJson<S extends z.ZodType>(pack: OpenedPack, path: string, schema: S, faults: Faults): z.infer<S> | null {
  const bytes = pack.files.get(path)
  if (bytes === undefined) {
    faults.add(path, 'is missing')
    return null
  }
  return parseAs(bytes, path, schema, faults)
}

/** Why there is nothing to go by: no such file, or one whose signature or content was refused, which another fault says in full. */
export function notAccepted(pack: OpenedPack, path: string): string {
  return pack.files.has(path) ? 'is here, and was not accepted' : 'is missing'
}

export function parseAs<S extends z.ZodType>(bytes: Uint8Array, path: string, schema: S, faults: Faults): z.infer<S> | null {
  let value: unknown
  try {
    value = parseStrictJson(bytes, LIMITS)
  } catch (error) {
    faults.add(path, `is not acceptable JSON: ${error instanceof Error ? error.message : 'unreadable'}`)
    return null
  }
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  for (const issue of parsed.error.issues.slice(0, 20)) faults.add(path, `/${issue.path.join('/')} ${issue.message}`)
  return null
}

export function sentence(error: unknown): string {
  if (!(error instanceof Error)) return 'it cannot be read'
  const details = 'details' in error && Array.isArray(error.details) ? error.details : []
  return inOneLine([error.message, ...details])
}

/** A check that throws has not passed. */
export function guarded(path: string, check: () => Faults): Faults {
  try {
    return check()
  } catch (error) {
    const faults = new Faults()
    faults.add(path, `could not be checked: ${sentence(error)}`)
    return faults
  }
}

export function checkOf(name: string, { list }: Faults, says: string): Check {
  if (list.length === 0) return { name, verdict: 'pass', says }
  return { name, verdict: 'fail', says: list.length === 1 ? list[0]! : `${list[0]} (and ${list.length - 1} more)` }
}

export function joined(...parts: readonly Faults[]): Faults {
  const all = new Faults()
  for (const part of parts) all.list.push(...part.list)
  return all
}

/** Reads each file once. What has no place in a pack is a fault of the pack, not a reason to stop: the other faults are named too. */
export async function readAll(reader: PackReader): Promise<{ files: Map<string, Uint8Array>; faults: Faults }> {
  const faults = new Faults()
  const files = new Map<string, Uint8Array>()
  const listed = await reader.list()
  for (const { path, what } of listed.strays) faults.add(path, what)
  const folded = new Set<string>()
  for (const path of listed.files.toSorted()) {
    if (!packPath.safeParse(path).success) {
      faults.add(JSON.stringify(path), 'is no name for a file of a pack')
      continue
    }
    if (folded.has(path.toLowerCase())) faults.add(path, 'differs from another file only in case')
    folded.add(path.toLowerCase())
    files.set(path, await reader.read(path))
  }
  return { files, faults }
}
