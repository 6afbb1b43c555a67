import { open, readdir, stat } from 'node:fs/promises'
import { join, matchesGlob } from 'node:path'
import { WaybillError } from '../../core/errors.ts'

/** What a compressed file's name ends in, behind the name of its format. */
const COMPRESSED = /\.(gz|gzip|bz2|zst|zstd|xz|lz4|br|snappy|lzo|zip|z)$/i

/**
 * Refuses a folder that holds a file which is of this format but would not be read: rows that nobody looks at would be missing from "equal".
 * Looked at are the name without regard to capitals, without what a compression adds and behind a dot, the first bytes of a Parquet file, and,
 * below a folder `name=value`, every file but those that writers of tables do not count as rows (`_SUCCESS`, `.part.crc`).
 * @throws NOT_REPRESENTABLE with the file's name
 */
export async function refuseUnread(root: string, extensions: readonly string[], read: ReadonlySet<string>): Promise<void> {
  for await (const { path, kind } of everythingBelow(root, '', () => true)) {
    if (read.has(path)) continue
    const name = path.slice(path.lastIndexOf('/') + 1)
    if (kind === 'link to a folder') throw unfollowed(path)
    const plain = name.replace(COMPRESSED, '').toLowerCase()
    const named = extensions.some((extension) => plain.endsWith(`.${extension}`))
    const row = /(^|\/)[^/=]+=[^/]*\//.test(path) && !/^[._]/.test(name)
    if (!named && !row && !(extensions.includes('parquet') && !/^[._]/.test(name) && (await isParquet(join(root, path))))) continue
    const endings = extensions.map((extension) => `.${extension}`).join(', ')
    throw new WaybillError(
      'NOT_REPRESENTABLE',
      `${shortened(path)} would be left out: only files whose name ends in ${endings}, in small letters, uncompressed and not hidden, are read from a folder. Rename it, unpack it, or move it away.`,
    )
  }
}

/** Refuses a glob that a linked folder would match: links to folders are not followed, so its rows would be missing. @throws NOT_REPRESENTABLE */
export async function refuseUnfollowed(root: string, pattern: string): Promise<void> {
  const parts = pattern.split('/').filter((part) => part !== '' && part !== '.')
  // Alternatives may hold slashes, so any folder may be one of them.
  const anywhere = /[{(]/.test(pattern)
  const wild = anywhere ? 0 : parts.findIndex((part) => /[*?[]/.test(part))
  const within = (path: string): boolean => {
    const folders = path.split('/')
    const deep = parts.indexOf('**')
    const known = deep === -1 ? folders.length : Math.min(deep, folders.length)
    if (anywhere || known === 0) return true
    if (deep === -1 && folders.length >= parts.length) return false
    return matchesGlob(folders.slice(0, known).join('/'), parts.slice(0, known).join('/'))
  }
  const below = parts.slice(0, wild).join('/')
  for await (const { path, kind } of everythingBelow(root, below, within)) {
    if (kind === 'link to a folder' && within(path)) throw unfollowed(path)
  }
}

type Below = { path: string; kind: 'file' | 'link to a folder' }

/** Files and links below a folder, by path from `root`; folders that `within` does not want are not entered. */
async function* everythingBelow(root: string, folder: string, within: (path: string) => boolean): AsyncGenerator<Below> {
  const entries = await readdir(join(root, folder), { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return []
    throw new WaybillError(
      'PERMISSION_DENIED',
      `${shortened(folder)} below the source folder cannot be listed, so what lies in it is unknown.`,
    )
  })
  for (const entry of entries) {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`
    if (entry.isSymbolicLink()) {
      const leads = await stat(join(root, path)).catch(() => null)
      yield { path, kind: leads?.isDirectory() ? 'link to a folder' : 'file' }
    } else if (!entry.isDirectory()) yield { path, kind: 'file' }
    else if (within(path)) yield* everythingBelow(root, path, within)
  }
}

function unfollowed(path: string): WaybillError {
  return new WaybillError(
    'NOT_REPRESENTABLE',
    `${shortened(path)} is a link to a folder, and links to folders are not followed: its files would be left out. Put the files themselves there, or remove the link.`,
  )
}

async function isParquet(path: string): Promise<boolean> {
  const file = await open(path).catch(() => null)
  if (file === null) return false
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(4), 0, 4, 0)
    return bytesRead === 4 && buffer.toString('latin1') === 'PAR1'
  } finally {
    await file.close()
  }
}

const shortened = (path: string) => JSON.stringify(path.slice(0, 200))
