import { availableParallelism, totalmem } from 'node:os'
import type { Saturation } from '../../layers/core/schemas/work.ts'

const UNSEEN = 'Network and disk use cannot be seen from inside the process, so they were not measured.'

/** Starts measuring this process; the function returned gives what was used since, as shares of what the process may use. */
export function measureSaturation(now: () => number = () => performance.now()): () => Saturation {
  const began = now()
  const cpu = process.cpuUsage()
  return () => {
    const elapsedMicroseconds = (now() - began) * 1000
    const { user, system } = process.cpuUsage(cpu)
    const limit = memoryLimit()
    return {
      cpu_ratio: elapsedMicroseconds > 0 ? share((user + system) / elapsedMicroseconds / availableParallelism()) : null,
      memory_ratio: limit > 0 ? share((process.resourceUsage().maxRSS * 1024) / limit) : null,
      network_ratio: null,
      disk_io_ratio: null,
      reason: elapsedMicroseconds > 0 ? UNSEEN : `The work was too short to measure the processor. ${UNSEEN}`,
    }
  }
}

/** The container's limit where there is one, else the machine's memory; bytes. */
function memoryLimit(): number {
  const total = totalmem()
  const constrained = process.constrainedMemory()
  return constrained > 0 && constrained < total ? constrained : total
}

/** Four decimals are what such a measurement is worth. */
function share(ratio: number): number {
  return Math.round(Math.min(1, Math.max(0, ratio)) * 10_000) / 10_000
}
