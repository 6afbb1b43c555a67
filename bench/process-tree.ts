import { readdir, readFile } from 'node:fs/promises'

type Process = { pid: number; parent: number; name: string; residentKiB: number }

async function processes(): Promise<Process[]> {
  const ids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const read = await Promise.all(
    ids.map(async (id): Promise<Process | null> => {
      const status = await readFile(`/proc/${id}/status`, 'utf8').catch(() => '')
      const field = (name: string) => status.match(new RegExp(`^${name}:\\s*(\\S+)`, 'm'))?.[1]
      const resident = field('VmRSS')
      return resident ? { pid: Number(id), parent: Number(field('PPid')), name: field('Name') ?? '', residentKiB: Number(resident) } : null
    }),
  )
  return read.filter((process) => process !== null)
}

/** Samples the memory of a process and everything it started, PostgreSQL apart. Linux only: elsewhere the peak is null. */
export function watchMemory(pid: number): { stop(): number | null } {
  let peakKiB = 0
  const sample = async () => {
    const all = await processes().catch(() => [])
    const tree = new Set([pid])
    for (let grown = true; grown; ) {
      grown = false
      for (const one of all) {
        if (!tree.has(one.pid) && tree.has(one.parent) && one.name !== 'postgres') {
          tree.add(one.pid)
          grown = true
        }
      }
    }
    const total = all.filter((one) => tree.has(one.pid)).reduce((sum, one) => sum + one.residentKiB, 0)
    peakKiB = Math.max(peakKiB, total)
  }
  const timer = setInterval(() => void sample(), 100)
  return {
    stop() {
      clearInterval(timer)
      return peakKiB === 0 ? null : peakKiB / 1024
    },
  }
}

/** The middle of the measured values. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
