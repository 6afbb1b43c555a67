import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { PackFile } from '../../layers/core/evidence/pack.ts'

export async function writePack(at: string, pack: readonly PackFile[]): Promise<void> {
  for (const { path, bytes } of pack) {
    await mkdir(dirname(join(at, path)), { recursive: true })
    await writeFile(join(at, path), bytes)
  }
}

/** The pack in a folder of its own while `work` runs. */
export async function inFolder<T>(pack: readonly PackFile[], work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'waybill-pack-'))
  try {
    await writePack(folder, pack)
    return await work(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
