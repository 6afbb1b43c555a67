import type { PackFile } from '../../../layers/core/evidence/pack.ts'
import { type TestPlatform, testPlatform } from './platform.ts'
import { storeSpec, tell } from './story.ts'

/** The evidence pack that a project's handlers stored. */
export async function storedPack({ ports }: Pick<TestPlatform, 'ports'>, projectId: string): Promise<PackFile[]> {
  const prefix = `projects/${projectId}/evidence_pack/`
  return Promise.all(
    (await ports.artifacts.list(prefix)).map(async (key) => ({
      path: key.slice(prefix.length),
      bytes: await ports.artifacts.get((await ports.artifacts.find(key))!),
    })),
  )
}

/** Runs a whole migration through the real handlers and state machines, everybody approving. */
export async function writtenPack(): Promise<PackFile[]> {
  const on = await testPlatform()
  try {
    const id = await storeSpec(on)
    await tell(on, id)
    return await storedPack(on, id)
  } finally {
    await on.close()
  }
}
