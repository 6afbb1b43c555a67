import type { z } from 'zod'
import { getJson } from '../artifacts.ts'
import { canonicalBytes } from '../canonical-json.ts'
import { isWaybillError, WaybillError } from '../errors.ts'
import type { ArtifactStore, Clock, Ports } from '../ports.ts'
import type { ArtifactPointer } from '../schemas/common.ts'
import type { Policy } from '../schemas/policy.ts'

export type StoringDeps = Pick<Ports, 'artifacts' | 'clock' | 'policy'>

const DAY_MS = 86_400_000
export const JSON_TYPE = 'application/json'

/** Evidence written now may be removed from this instant on. */
export function retainUntil(deps: { clock: Clock; policy: Policy }): Date {
  return new Date(deps.clock.now().getTime() + deps.policy.retention_days * DAY_MS)
}

/** `projects/<project_id>/<name>/<part>.<extension>` */
export function keyOf(projectId: string, name: string, part: string, extension = 'json'): string {
  return `projects/${projectId}/${name}/${part}.${extension}`
}

/**
 * Stores what `make` gives under a key, once. A step that is run again after a crash finds what it made the first time and keeps it,
 * even where making it again would give other bytes (a time, a random id).
 */
export async function storeOnce(
  deps: StoringDeps,
  key: string,
  contentType: string,
  make: () => Uint8Array | Promise<Uint8Array>,
): Promise<ArtifactPointer> {
  const there = await deps.artifacts.find(key)
  if (there !== null) return there
  const bytes = await make()
  try {
    return await deps.artifacts.put(key, bytes, { contentType, retainUntil: retainUntil(deps) })
  } catch (error) {
    if (!isWaybillError(error) || error.code !== 'ALREADY_EXISTS') throw error
    const first = await deps.artifacts.find(key)
    if (first === null) throw error
    return first
  }
}

/** As `storeOnce`, for a value, as canonical JSON. */
export async function storeJsonOnce(deps: StoringDeps, key: string, make: () => unknown): Promise<ArtifactPointer> {
  return storeOnce(deps, key, JSON_TYPE, async () => canonicalBytes(await make()))
}

/** The value under a key, or null when nothing was stored there. @throws EVIDENCE_INVALID */
export async function findJson<S extends z.ZodType>(store: ArtifactStore, key: string, schema: S): Promise<z.infer<S> | null> {
  const pointer = await store.find(key)
  return pointer === null ? null : getJson(store, pointer, schema)
}

/**
 * Keys that lie in a folder itself, in order; `folder` ends with a slash. Threat: a star in an IAM resource also stands for slashes, so who may
 * write the explanations of any project may write `projects/p/anchors/explanation/x.json`. Whoever writes into a folder makes one name there, so
 * what lies deeper is somebody else's: it is neither read nor able to stop whoever reads.
 */
export async function keysIn(store: ArtifactStore, folder: string): Promise<string[]> {
  return (await store.list(folder)).filter((key) => key.length > folder.length && !key.slice(folder.length).includes('/'))
}

/** Every artifact in a folder, in key order; see `keysIn`. */
export async function listed(store: ArtifactStore, folder: string): Promise<{ key: string; pointer: ArtifactPointer }[]> {
  const keys = await keysIn(store, folder)
  return Promise.all(
    keys.map(async (key) => {
      const pointer = await store.find(key)
      if (pointer === null) throw new WaybillError('NOT_FOUND', `The artifact ${key} was listed and is gone.`)
      return { key, pointer }
    }),
  )
}

/** Bucket and key of a pointer, for services that take no URI: `s3://bucket/key`, or `artifact:key` whose bucket is the home itself. */
export function placeOf(pointer: ArtifactPointer): { bucket: string; key: string } {
  const remote = /^[a-z0-9]+:\/\/([^/]+)\/(.+)$/.exec(pointer.uri)
  if (remote) return { bucket: remote[1]!, key: remote[2]! }
  const home = /^[a-z]+:(.+)$/.exec(pointer.uri)
  if (home) return { bucket: 'home', key: home[1]! }
  throw new WaybillError('EVIDENCE_INVALID', `The pointer ${pointer.uri} names no place that a state machine can read.`)
}

/** One JSON value a line. */
export function jsonLines(values: readonly unknown[]): Uint8Array {
  const newline = new Uint8Array([10])
  return Buffer.concat(values.flatMap((value) => [canonicalBytes(value), newline]))
}
