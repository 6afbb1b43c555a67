import { WaybillError } from '../../core/errors.ts'
import type { ArtifactStore } from '../../core/ports.ts'
import type { Platform } from './run.ts'

/** Items out of an artifact: the version named must be the one stored, and the store checks the bytes. `Bucket` means nothing on a laptop. */
export function artifactItems(artifacts: ArtifactStore): Platform['readItems'] {
  return async ({ Key, VersionId }) => {
    const pointer = await artifacts.find(Key)
    if (pointer === null) throw new WaybillError('NOT_FOUND', `There is no artifact ${Key}.`)
    if (VersionId !== undefined && VersionId !== pointer.version_id)
      throw new WaybillError('EVIDENCE_INVALID', `The artifact ${Key} is not in the version the state machine was given.`)
    return artifacts.get(pointer)
  }
}

/** Results of a Map as artifacts; `retainUntil` says how long to keep one written now. */
export function artifactResults(artifacts: ArtifactStore, retainUntil: () => Date): Platform['writeResults'] {
  return async ({ Key, bytes, contentType }) => {
    await artifacts.put(Key, bytes, { contentType, retainUntil: retainUntil() })
  }
}
