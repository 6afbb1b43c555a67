import { WaybillError } from './errors.ts'
import { fullDisk } from './full-disk.ts'

const DENIED = new Set(['EACCES', 'EPERM', 'EROFS'])

/**
 * What the file system refuses to this user as PERMISSION_DENIED naming the folder or file; a full disk as DISK_FULL; what stands in a folder's
 * place as BAD_INPUT; any other error as it is. `place` is used where the error names no path.
 */
export function deniedAt(error: unknown, place?: string): unknown {
  if (!(error instanceof Error) || error instanceof WaybillError) return error
  const full = fullDisk(error, place)
  if (full !== error) return full
  const { code, path } = error as NodeJS.ErrnoException
  const where = path ?? place
  if (where === undefined || code === undefined) return error
  if (DENIED.has(code)) {
    const message = `This user may not use ${where} (${code}). Choose another folder, or have its owner open it to this user.`
    return new WaybillError('PERMISSION_DENIED', message, { cause: error })
  }
  if (code === 'ENOTDIR' || code === 'EEXIST')
    return new WaybillError('BAD_INPUT', `${where} is no folder, or lies under a file. Name a folder.`, { cause: error })
  return error
}

/** Runs file work of `place`. @throws PERMISSION_DENIED, DISK_FULL, BAD_INPUT, and what `work` throws besides */
export function at<T>(place: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw deniedAt(error, place)
  }
}
