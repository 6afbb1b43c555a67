import { listed } from '../../layers/core/flow/storing.ts'
import type { Ports } from '../../layers/core/ports.ts'
import { readWaiver, type SignedWaiver } from '../../layers/core/waivers.ts'

/** Where signed waivers of a project lie. */
export const waiversPrefix = (projectId: string) => `projects/${projectId}/waivers/`

/** Every waiver statement of a project whose signature holds, with its envelope. Whether it counts is judged with the findings. */
export async function waiversOf(
  deps: Pick<Ports, 'artifacts' | 'trust'>,
  projectId: string,
): Promise<(SignedWaiver & { envelope: Uint8Array })[]> {
  const found = await listed(deps.artifacts, waiversPrefix(projectId))
  const envelopes = await Promise.all(found.map(({ pointer }) => deps.artifacts.get(pointer)))
  return envelopes.flatMap((envelope) => {
    const waiver = readWaiver(envelope, deps.trust)
    return waiver === null ? [] : [{ ...waiver, envelope }]
  })
}
