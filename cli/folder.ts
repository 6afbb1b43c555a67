import { lstat, mkdir } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { WaybillError } from '../layers/core/errors.ts'

/**
 * Makes a folder and its missing parents, one after another: a recursive mkdir never returns below /proc.
 * @throws BAD_INPUT when it cannot be made or is no folder
 */
export async function ensureFolder(path: string, mode = 0o755): Promise<void> {
  const folder = resolve(path)
  const found = await lstat(folder).catch(() => null)
  if (found?.isDirectory() || found?.isSymbolicLink()) return
  if (found !== null) throw new WaybillError('BAD_INPUT', `${folder} is a file. Name a folder.`)
  if (dirname(folder) !== folder) await ensureFolder(dirname(folder))
  try {
    await mkdir(folder, { mode })
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'EEXIST') return
    throw new WaybillError(
      'BAD_INPUT',
      `Cannot make the folder ${folder} (${code ?? 'unknown'}). Choose another place, or make it writable.`,
    )
  }
}
