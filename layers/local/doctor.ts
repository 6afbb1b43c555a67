import { execFile } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { promisify } from 'node:util'
import { type DoctorLine, fail, ok, warn } from '../core/doctor.ts'
import { ANCHOR_KEY_REMEDY, anchorKeyIsMissing } from './home.ts'

const run = promisify(execFile)
const MINIMUM_NODE = 24
const MIB = 1024n * 1024n

export function nodeLines(version: string): DoctorLine[] {
  const major = Number(version.split('.')[0])
  if (major >= MINIMUM_NODE) return [ok('node', `Node ${version}.`)]
  return [
    fail(
      'node',
      `Node ${version} is too old: Waybill runs on Node ${MINIMUM_NODE} or newer.`,
      'Start it with bin/waybill.mjs or npm run waybill, which bring their own.',
    ),
  ]
}

/** Only what VERIFY.md of an evidence pack asks an auditor to run. */
export async function toolLines(
  tools: Readonly<Record<string, readonly string[]>> = { openssl: ['version'], sha256sum: ['--version'], jq: ['--version'] },
): Promise<DoctorLine[]> {
  const missing: string[] = []
  for (const [name, args] of Object.entries(tools)) await run(name, [...args], { timeout: 10_000 }).catch(() => missing.push(name))
  if (missing.length === 0) return [ok('tools', `${Object.keys(tools).join(', ')} are here: a pack can also be checked without Waybill.`)]
  return [warn('tools', `${missing.join(' and ')} cannot be run here.`, 'Waybill does without; checking a pack by hand needs them.')]
}

/** Nobody else enters the home, where keys and sealed task tokens lie; and its database is whole. */
export function homeLines(folder: string): DoctorLine[] {
  const home = resolve(folder)
  if (!existsSync(home)) return [warn('home', `There is no home at ${home} yet.`, 'waybill run makes one; name another with --home.')]
  const lines: DoctorLine[] = []
  const open = [home, join(home, 'keys'), ...filesIn(join(home, 'keys'))].filter(
    (path) => existsSync(path) && (statSync(path).mode & 0o077) !== 0,
  )
  if (open.length > 0)
    lines.push(
      fail(
        'home',
        `Other users may enter ${open.join(', ')}.`,
        `Close it: chmod -R go= ${home}. If others use this machine, make new keys.`,
      ),
    )
  else lines.push(ok('home', `The home ${home} is closed to other users.`))
  const owner = statSync(home).uid
  const me = process.getuid?.() ?? owner
  if (owner !== me && me !== 0) lines.push(fail('home', `The home ${home} belongs to another user.`, 'Use a home of your own: --home DIR.'))
  lines.push(...databaseLines(join(home, 'waybill.sqlite'), join(home, 'keys')))
  return lines
}

function databaseLines(path: string, keys: string): DoctorLine[] {
  if (!existsSync(path)) return []
  try {
    const db = new DatabaseSync(path, { readOnly: true })
    try {
      const said = String(Object.values(db.prepare('PRAGMA quick_check(1)').get() ?? {})[0])
      if (said === 'ok')
        return [
          ok('database', 'The database of the home is whole.'),
          ...(anchorKeyIsMissing(keys, db) ? [fail('anchor-key', 'The key that signs anchors is missing.', ANCHOR_KEY_REMEDY)] : []),
        ]
    } finally {
      db.close()
    }
  } catch {
    // The line below says it.
  }
  return [
    fail('database', `The database ${path} is damaged or no database.`, 'Bring the home back from a backup; do not go on with this one.'),
  ]
}

function filesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : []
}

/** Room for artifacts and for the files a copy of large tables needs. Sizes in MiB. */
export async function spaceLines(folder: string, leastMiB = 1024n): Promise<DoctorLine[]> {
  let place = resolve(folder)
  while (!existsSync(place)) place = dirname(place)
  const { bavail, bsize } = await statfs(place, { bigint: true })
  const free = (bavail * bsize) / MIB
  const said = `${free} MiB are free at ${place}`
  if (free >= leastMiB) return [ok('space', `${said}.`)]
  return [warn('space', `${said}; artifacts of a large migration take more.`, 'Make room, or put the home elsewhere: --home DIR.')]
}
