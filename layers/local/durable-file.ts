import { randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, linkSync, openSync, unlinkSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** Bytes in a new file beside `path`, safe on disk but under no name that anybody reads. */
export function writeBeside(path: string, bytes: Uint8Array, mode: number): string {
  const temporary = join(dirname(path), `.${randomBytes(12).toString('hex')}.part`)
  const file = openSync(temporary, 'wx', mode)
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  return temporary
}

/** Gives the file its name unless the name is taken. link(2) is atomic and never replaces: a reader sees all the bytes or none. */
export function publish(temporary: string, path: string): 'new' | 'taken' {
  try {
    linkSync(temporary, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    return 'taken'
  } finally {
    unlinkSync(temporary)
  }
  syncFolder(dirname(path))
  return 'new'
}

export function syncFolder(folder: string): void {
  const handle = openSync(folder, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}
