import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Account } from '../../functions/aws-account.ts'
import { WaybillError } from '../../layers/core/errors.ts'
import type { PackFile } from '../../layers/core/evidence/pack-files.ts'
import { SIGNING_PURPOSES } from '../../layers/core/names.ts'
import type { TrustRoot } from '../../layers/core/ports.ts'
import { packPath } from '../../layers/core/schemas/evidence.ts'
import { memoryReader, verifyPack } from '../../layers/core/verifier/index.ts'
import { ensureFolder } from '../folder.ts'
import { EXIT, type Terminal, visible } from '../terminal.ts'
import { printVerification } from '../verify/print.ts'
import { openAccount } from './account.ts'
import type { PlaceOptions } from './options.ts'

const OWN_KEYS =
  "Verified with this account's own keys. That is no independent witness: whoever rules the account could have exchanged keys and pack together. Pin the keys you wrote down before, with --trust."

type DownloadedPack = Awaited<ReturnType<Account['pack']>>
type VerifyOptions = NonNullable<Parameters<typeof verifyPack>[1]>
type Options = Omit<PlaceOptions, 'home'> & { out?: string; json?: boolean }

/**
 * Downloads a project's pack, each file in the version that was written first, and verifies it as a folder would be. Keys: those given, or the
 * public halves that KMS gives for this deployment. Something that lies over a file is a fault, though what lies below may verify.
 */
export async function verifyInAccount(
  terminal: Terminal,
  asked: string | undefined,
  options: Options,
  checks: VerifyOptions,
): Promise<void> {
  const account = await openAccount(options)
  const projectId = asked ?? (await onlyProject(account.ports))
  const pack = await account.pack(projectId)
  const trust = checks.trust ?? pinned(await account.trust())
  const result = await verifyPack(memoryReader(pack.files), { ...checks, trust })
  const faults = [
    ...result.faults,
    ...pack.covered.map(
      ({ path, version_id, what }) => `${path}: a ${what} lies over it (version ${version_id}); nothing of Waybill writes one`,
    ),
  ]
  const verified = result.verified && faults.length === 0
  process.exitCode = verified ? EXIT.pass : EXIT.fail
  if (options.out !== undefined) await keep(pack.files, options.out)
  if (options.json) {
    const files = pack.files.map(({ bytes: _, ...file }) => file)
    const keys = checks.trust === undefined ? 'account' : 'given'
    terminal.out(JSON.stringify({ project_id: projectId, ...result, verified, faults, keys, files }, null, 2))
    return
  }
  terminal.err(`${projectId}: ${locked(pack)}`)
  printVerification(terminal, { ...result, verified, faults }, checks.trust === undefined ? OWN_KEYS : undefined)
  if (options.out !== undefined) terminal.out(`\n${options.out}`)
}

/** As `--trust` gives them. */
function pinned(trust: TrustRoot): string[] {
  return SIGNING_PURPOSES.flatMap((purpose) => trust[purpose].map((pem) => `${purpose}=${pem}`))
}

function locked({ files }: DownloadedPack): string {
  const until = files.flatMap(({ retain_until }) => retain_until ?? []).sort()
  const open = files.length - until.length
  const said = open === 0 ? `locked until ${until[0]} at least` : `${open} of them without a lock: see "waybill doctor --aws"`
  return `${files.length} files read, each in its first version; ${said}`
}

async function onlyProject(ports: Account['ports']): Promise<string> {
  const { records, unreadable } = await ports.projects.list()
  const [only, ...others] = [...records, ...unreadable]
  if (only !== undefined && others.length === 0) return only.project_id
  throw new WaybillError('BAD_INPUT', 'Say whose pack to verify: waybill verify --aws PROJECT. waybill status --aws lists them.')
}

/** Threat: a key in the bucket is a name somebody chose; only names a pack has become files. */
async function keep(files: readonly PackFile[], folder: string): Promise<void> {
  await ensureFolder(folder)
  if ((await readdir(folder)).length > 0) throw new WaybillError('ALREADY_EXISTS', `${folder} is not empty. Name a new folder with --out.`)
  for (const { path, bytes } of files) {
    if (!packPath.safeParse(path).success) throw new WaybillError('EVIDENCE_INVALID', `${visible(path)} is no name for a file of a pack.`)
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), bytes, { flag: 'wx' })
  }
}
