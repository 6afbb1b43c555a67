import type { ArtifactStore } from '../ports.ts'
import type { ArtifactPointer } from '../schemas/common.ts'
import { keyOf } from './storing.ts'

/** A stored spec is never overwritten: the first of a project is number 1, a corrected one is the next. */
export type NumberedSpec = { number: number; pointer: ArtifactPointer }

/** The run that begins a project with its first spec. */
export const FIRST_RUN = 'initial'

export const specKey = (projectId: string, number: number) => keyOf(projectId, 'spec', String(number))

/** The spec with the highest number, found by counting from 1; null where none was stored. */
export async function newestSpec(store: Pick<ArtifactStore, 'find'>, projectId: string): Promise<NumberedSpec | null> {
  let newest: NumberedSpec | null = null
  for (let number = 1; ; number++) {
    const pointer = await store.find(specKey(projectId, number))
    if (pointer === null) return newest
    newest = { number, pointer }
  }
}
