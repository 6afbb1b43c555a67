import { constants } from 'node:fs'
import { lstat, open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { WaybillError } from '../core/errors.ts'
import type { PackReader } from '../core/verifier/pack-reader.ts'

/** A pack deeper or larger than this was not made by Waybill. */
const MAX_DEPTH = 8
const MAX_FILES = 200_000
const WHICH = 'Give the evidence_pack folder itself.'

/**
 * Reads an evidence pack from a folder. Links, devices and sockets are refused: what is verified must be what lies in the folder.
 * @throws NOT_FOUND when there is no such folder
 */
export async function openPackFolder(folder: string): Promise<PackReader> {
  const info = await lstat(folder).catch(() => undefined)
  if (!info?.isDirectory()) throw new WaybillError('NOT_FOUND', `There is no folder ${folder}. ${WHICH}`)
  return {
    async list() {
      const listing: Listing = { files: [], strays: [] }
      await walk(folder, '', 0, listing)
      return listing
    },
    read: (path) => readRegular(folder, path),
  }
}

type Listing = Awaited<ReturnType<PackReader['list']>>

/** @throws EVIDENCE_INVALID for a tree so deep or large that reading it would be an attack of its own */
async function walk(folder: string, within: string, depth: number, listing: Listing): Promise<void> {
  if (depth > MAX_DEPTH) throw new WaybillError('EVIDENCE_INVALID', `${within}: folders are nested deeper than a pack has them. ${WHICH}`)
  const entries = await readdir(join(folder, within), { withFileTypes: true })
  if (entries.length === 0) listing.strays.push({ path: within || '.', what: 'an empty folder does not belong in a pack' })
  for (const entry of entries) {
    const path = within === '' ? entry.name : `${within}/${entry.name}`
    if (entry.isDirectory()) await walk(folder, path, depth + 1, listing)
    else if (entry.isFile()) listing.files.push(path)
    else listing.strays.push({ path, what: 'is a link or a device; a pack holds files only' })
    if (listing.files.length > MAX_FILES) throw new WaybillError('EVIDENCE_INVALID', `${within}: more files than a pack has. ${WHICH}`)
  }
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
