import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { glob, realpath, stat } from 'node:fs/promises'
import { isAbsolute, join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { WaybillError } from '../../core/errors.ts'
import type { SystemIdentity } from '../../core/schemas/identity.ts'
import { refuseUnfollowed, refuseUnread } from './folder-survey.ts'
import { type Partition, partitionGlob, partitionsOf } from './partitions.ts'

/** `partitions`: what the folders between the source folder and the file say, `year=2026/month=01`. */
export type SourceFile = { path: string; bytes: bigint; partitions: readonly Partition[] }

/** The folder a file source reads under, links resolved. Accepts a path or a `file://` URL. @throws NOT_FOUND */
export async function sourceFolder(url: string): Promise<string> {
  const path = url.startsWith('file://') ? fileURLToPath(url) : url
  try {
    const real = await realpath(path)
    if ((await stat(real)).isDirectory()) return real
  } catch {
    // Said below; the path may be part of a secret, so it is not repeated.
  }
  throw new WaybillError(
    'NOT_FOUND',
    'The source folder does not exist or is not a folder. Point the source connection at the folder that holds the files.',
  )
}

/**
 * Files a name means, in order of path: one file, or every match of a glob, each inside `root` after links are resolved.
 * @throws BAD_INPUT for a name that leads outside, NOT_FOUND when nothing matches, NOT_REPRESENTABLE for a file name that is itself a pattern, for a
 * glob that would pass over a linked folder, and for a link that leads nowhere
 */
export async function resolveFiles(root: string, pattern: string): Promise<SourceFile[]> {
  if (isAbsolute(pattern) || /^[a-z][a-z0-9+.-]*:/i.test(pattern) || pattern.includes('\u0000') || pattern.split(/[\\/]/).includes('..')) {
    throw new WaybillError(
      'BAD_INPUT',
      `"${pattern.slice(0, 200)}" leads outside the source folder. Name files relative to it, without "..".`,
    )
  }
  const found: SourceFile[] = []
  for (const match of await matches(root, pattern)) {
    const real = await realpath(join(root, match)).catch(() => null)
    if (real === null) {
      throw new WaybillError('NOT_REPRESENTABLE', `"${match.slice(0, 200)}" is a link that leads nowhere. Mend it, or remove it.`)
    }
    const inside = relative(root, real)
    if (inside.startsWith('..') || isAbsolute(inside)) {
      throw new WaybillError('BAD_INPUT', `"${pattern.slice(0, 200)}" is a link that leads outside the source folder.`)
    }
    const facts = await stat(real)
    if (!facts.isFile()) continue
    // DuckDB would read these characters as a pattern of its own.
    if (/[*?[\]{}]/.test(real)) {
      throw new WaybillError(
        'NOT_REPRESENTABLE',
        `The path of "${pattern.slice(0, 200)}" holds one of * ? [ ] { }. Rename the file or its folder.`,
      )
    }
    found.push({ path: real, bytes: BigInt(facts.size), partitions: partitionsOf(match) })
  }
  if (found.length > 0) return found.sort((a, b) => (a.path < b.path ? -1 : 1))
  throw new WaybillError('NOT_FOUND', `No file "${pattern.slice(0, 200)}" in the source folder.`)
}

/**
 * Every table below the folder, relative, sorted: a file with one of these extensions, or the glob of a partitioned folder.
 * @throws NOT_REPRESENTABLE where a file of the format would be left out
 */
export async function listTables(root: string, extensions: readonly string[]): Promise<string[]> {
  const found = await Promise.all(extensions.map((extension) => matches(root, `**/*.${extension}`)))
  await refuseUnread(root, extensions, new Set(found.flat()))
  return [...new Set(found.flat().map(partitionGlob))].sort()
}

/** Every file that the patterns mean, once, with what is in it. */
export async function identityOfFiles(root: string, patterns: readonly string[]): Promise<SystemIdentity> {
  const found = (await Promise.all(patterns.map((pattern) => resolveFiles(root, pattern)))).flat()
  const paths = [...new Set(found.map((file) => file.path))].sort()
  const files: Extract<SystemIdentity, { kind: 'files' }>['files'] = []
  for (const path of paths) {
    const { bytes, sha256 } = await digestOfFile(path)
    files.push({ path: relative(root, path).split(sep).join('/'), bytes, sha256 })
  }
  return { kind: 'files', files }
}

/** Read from the first byte to the last, now. */
export async function digestOfFile(path: string): Promise<{ bytes: string; sha256: string }> {
  const hash = createHash('sha256')
  let bytes = 0n
  for await (const part of createReadStream(path)) {
    hash.update(part as Buffer)
    bytes += BigInt((part as Buffer).length)
  }
  return { bytes: String(bytes), sha256: hash.digest('hex') }
}

async function matches(root: string, pattern: string): Promise<string[]> {
  const plain = !/[*?[{]/.test(pattern)
  if (plain) {
    const there = await stat(join(root, pattern)).catch(() => null)
    return there ? [pattern] : []
  }
  await refuseUnfollowed(root, pattern)
  const found: string[] = []
  for await (const match of glob(pattern, { cwd: root })) found.push(match.split(sep).join('/'))
  return found.sort()
}
