import type { z } from 'zod'
import { canonicalBytes, parseStrictJson } from './canonical-json.ts'
import { WaybillError } from './errors.ts'
import type { ArtifactStore } from './ports.ts'
import type { ArtifactPointer } from './schemas/common.ts'
import type { ProjectRecord } from './schemas/project.ts'

/**
 * Stores a value as canonical JSON, once.
 * @throws BAD_INPUT when it has no canonical form, ALREADY_EXISTS for other bytes under a taken key
 */
export async function putJson(store: ArtifactStore, key: string, value: unknown, retainUntil: Date): Promise<ArtifactPointer> {
  return store.put(key, canonicalBytes(value), { contentType: 'application/json', retainUntil })
}

/**
 * Reads an artifact and believes nothing about it: digest by the store, strict JSON, schema.
 * @throws NOT_FOUND, EVIDENCE_INVALID when bytes, JSON or shape are not what was promised
 */
export async function getJson<S extends z.ZodType>(store: ArtifactStore, pointer: ArtifactPointer, schema: S): Promise<z.infer<S>> {
  const bytes = await store.get(pointer)
  let value: unknown
  try {
    value = parseStrictJson(bytes)
  } catch (cause) {
    throw new WaybillError('EVIDENCE_INVALID', `the artifact ${pointer.uri} is not acceptable JSON; it was not written by Waybill`, {
      cause,
    })
  }
  const parsed = schema.safeParse(value)
  if (!parsed.success) {
    const details = parsed.error.issues.slice(0, 20).map((issue) => `${issue.path.join('/')}: ${issue.message}`)
    throw new WaybillError('EVIDENCE_INVALID', `the artifact ${pointer.uri} does not have the shape its name promises`, { details })
  }
  return parsed.data
}

/** The pointer under a logical name. @throws NOT_FOUND with the step that would have made it */
export function artifactOf(project: ProjectRecord, name: string): ArtifactPointer {
  const pointer = Object.hasOwn(project.artifacts, name) ? project.artifacts[name] : undefined
  if (pointer === undefined) {
    throw new WaybillError('NOT_FOUND', `project ${project.project_id} (${project.state}) has no artifact named ${name} yet`)
  }
  return pointer
}
