import { constants } from 'node:fs'
import { lstat, open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { WaybillError } from '../core/errors.ts'
import type { PackReader } from '../core/verifier/pack-reader.ts'

/** A pack deeper or larger than this was not made by Waybill. */
const MAX_DEPTH = 8
const MAX_FILES = 200_000

/**
 * Reads an evidence pack from a folder. Links, devices and sockets are refused: what is verified must be what lies in the folder.
 * @throws NOT_FOUND when there is no such folder
 */
export async function openPackFolder(folder: string): Promise<PackReader> {
  const info = await lstat(folder).catch(() => undefined)
  if (!info?.isDirectory()) throw new WaybillError('NOT_FOUND', `There is no folder ${folder}. Give the evidence_pack folder itself.`)
  return {
    list: () => filesUnder(folder, '', 0),
    read: (path) => readRegular(folder, path),
  }
}

async function filesUnder(folder: string, within: string, depth: number): Promise<string[]> {
  if (depth > MAX_DEPTH) throw new WaybillError('EVIDENCE_INVALID', `${within}: folders are nested deeper than a pack has them`)
  const found: string[] = []
  const entries = await readdir(join(folder, within), { withFileTypes: true })
  for (const entry of entries) {
    const path = within === '' ? entry.name : `${within}/${entry.name}`
    if (entry.isDirectory()) {
      const inside = await filesUnder(folder, path, depth + 1)
      if (inside.length === 0) throw new WaybillError('EVIDENCE_INVALID', `${path}: an empty folder does not belong in a pack`)
      found.push(...inside)
    } else if (entry.isFile()) found.push(path)
    else throw new WaybillError('EVIDENCE_INVALID', `${path}: is a link or a device; a pack holds files only`)
    if (found.length > MAX_FILES) throw new WaybillError('EVIDENCE_INVALID', `${within}: more files than a pack has`)
  }
  return found
}

/** Opens without following a link that was put there after listing. */
async function readRegular(folder: string, path: string): Promise<Uint8Array> {
  if (path.startsWith('/') || path.split('/').some((part) => part === '' || part === '.' || part === '..')) {
    throw new WaybillError('EVIDENCE_INVALID', `${path}: leaves the pack`)
  }
  const file = await open(join(folder, path), constants.O_RDONLY | constants.O_NOFOLLOW)
  try {
    return await file.readFile()
  } finally {
    await file.close()
  }
}
