import { existsSync } from 'node:fs'
import { chmod, lstat, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { WaybillError } from '../../layers/core/errors.ts'
import { MANIFEST, OUTSIDE_MANIFEST } from '../../layers/core/evidence/pack-files.ts'
import { responsePath, STAMPED_BUNDLE, TIMESTAMPED } from '../../layers/core/evidence/timestamp-request.ts'
import { findJson } from '../../layers/core/flow/storing.ts'
import type { Ports } from '../../layers/core/ports.ts'
import { withNotice } from '../../layers/core/report/since-notice.ts'
import { packManifest } from '../../layers/core/schemas/evidence.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'
import { ensureFolder } from '../folder.ts'
import type { Measured } from './summary.ts'

/** Artifacts a person opens, by logical name, and the file each becomes in the output folder. */
const FILES = { outcome: 'outcome.json', recon_report: 'recon_report.json', report_html: 'report.html', report_md: 'report.md' } as const

export type Results = { folder: string; written: string[] }

/**
 * Copies the results of a project out of the artifact store. The folder is a copy: the store keeps the originals. Where the newest comparison
 * found something else than the proof says, both reports begin with that; the pack stays what was sealed.
 */
export async function writeResults(
  ports: Pick<Ports, 'artifacts'>,
  project: ProjectRecord,
  folder: string,
  figures?: Pick<Measured, 'outcome' | 'newest'>,
): Promise<Results> {
  await ensureFolder(folder)
  const written: string[] = []
  for (const [name, file] of Object.entries(FILES)) {
    const pointer = project.artifacts[name]
    if (pointer === undefined) continue
    const bytes = await ports.artifacts.get(pointer)
    await replaceFile(join(folder, file), name === 'report_html' || name === 'report_md' ? noticed(file, bytes, figures) : bytes)
    written.push(file)
  }
  const prefix = `projects/${project.project_id}/evidence_pack/`
  const keys = await sealedKeys(ports, prefix)
  if (keys.length > 0) {
    const pack = join(folder, 'evidence_pack')
    // An earlier pack is a copy and may be replaced; what merely has its name may be somebody's only one.
    if (existsSync(pack) && !existsSync(join(pack, 'sha256_manifest.json'))) {
      throw new WaybillError(
        'ALREADY_EXISTS',
        `${pack} is not an evidence pack and is left as it is. Write the results elsewhere: --out DIR`,
      )
    }
    await replacePack(ports, keys, prefix, pack)
    written.push('evidence_pack')
  }
  return { folder, written }
}

/** Keys of a sealed pack, as its list names them. What else somebody put below its folder is none of it. */
async function sealedKeys({ artifacts }: Pick<Ports, 'artifacts'>, prefix: string): Promise<string[]> {
  const manifest = await findJson(artifacts, `${prefix}${MANIFEST}`, packManifest)
  if (manifest === null) return []
  const paths = new Set([...manifest.files.map(({ path }) => path), ...OUTSIDE_MANIFEST])
  return (await artifacts.list(prefix)).filter((key) => paths.has(key.slice(prefix.length)))
}

function noticed(file: string, bytes: Uint8Array, figures: Pick<Measured, 'outcome' | 'newest'> | undefined): Uint8Array {
  if (!figures?.outcome) return bytes
  const text = Buffer.from(bytes).toString('utf8')
  return Buffer.from(withNotice(file.endsWith('.md') ? 'md' : 'html', text, figures.newest, figures.outcome))
}

/**
 * Threat: somebody else who may write to the folder puts a link where a result will be. Writing through it would overwrite what it points
 * to, in the name of whoever runs Waybill; a new file that takes its place does not.
 */
async function replaceFile(path: string, bytes: Uint8Array): Promise<void> {
  const fresh = `${path}.new`
  await rm(fresh, { force: true })
  await writeFile(fresh, bytes, { flag: 'wx' })
  await rename(fresh, path)
}

/** Written aside, in a folder that nobody else may enter, and then put in place of the one before. */
async function replacePack(ports: Pick<Ports, 'artifacts'>, keys: readonly string[], prefix: string, pack: string): Promise<void> {
  const fresh = `${pack}.new`
  await rm(fresh, { recursive: true, force: true })
  await mkdir(fresh, { mode: 0o700 })
  for (const key of keys) {
    const pointer = await ports.artifacts.find(key)
    if (pointer === null) continue
    const path = join(fresh, key.slice(prefix.length))
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, await ports.artifacts.get(pointer), { flag: 'wx' })
  }
  await keepAnswers(pack, fresh)
  await rm(pack, { recursive: true, force: true })
  await chmod(fresh, 0o755)
  await rename(fresh, pack)
}

/**
 * A timestamp authority's answers are the only files that a person adds to a pack, and this folder may hold the only copy. They are about the
 * list and the seal's signature, so they stay where these are the same bytes; an answer about another pack would make this one fail.
 */
async function keepAnswers(before: string, fresh: string): Promise<void> {
  for (const { name, of } of TIMESTAMPED) {
    const [was, is] = await Promise.all([regular(join(before, of)), regular(join(fresh, of))])
    if (was === null || is === null || !was.equals(is)) continue
    for (const path of name === 'signature' ? [responsePath(name), STAMPED_BUNDLE] : [responsePath(name)]) {
      const answer = await regular(join(before, path))
      if (answer !== null) await writeFile(join(fresh, path), answer, { flag: 'wx' })
    }
  }
}

/** The bytes of a file, or null where there is none. A link is none: what it points to was never part of the pack. */
async function regular(path: string): Promise<Buffer | null> {
  const info = await lstat(path).catch(() => null)
  return info?.isFile() ? readFile(path) : null
}
