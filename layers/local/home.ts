import { chmodSync, existsSync, mkdirSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { at as using } from '../core/denied.ts'
import { WaybillError } from '../core/errors.ts'
import { openDatabase } from './database.ts'

/** Everything Waybill keeps on a laptop. The folder may be moved as a whole: nothing inside names its place. */
export type Home = {
  folder: string
  /** `waybill.sqlite`: projects, audit chains, approvals, executions. */
  db: DatabaseSync
  artifacts: string
  keys: string
  outbox: string
  locks: string
  repository: string
  close(): void
}

/**
 * Opens a home, making it if it is not there: folders 0700, files 0600. Other processes may have it open.
 * @throws PERMISSION_DENIED, BAD_INPUT, naming the folder
 */
export function openHome(folder: string): Home {
  const root = resolve(folder)
  const at = (name: string) => join(root, name)
  for (const path of [root, at('artifacts'), at('keys'), at('outbox'), at('locks')]) {
    using(path, () => {
      makeFolder(path)
      // A home made by hand may be open to others; keys and sealed tokens lie in it.
      chmodSync(path, 0o700)
    })
  }
  const db = using(at('waybill.sqlite'), () => openDatabase(at('waybill.sqlite')))
  return {
    folder: root,
    db,
    artifacts: at('artifacts'),
    keys: at('keys'),
    outbox: at('outbox'),
    locks: at('locks'),
    repository: at('repo.git'),
    close: () => {
      if (db.isOpen) db.close()
    },
  }
}

/**
 * Whether projects are here whose anchors no key of this home signed: `anchor.pem` was lost, or never was. Threat: made anew in silence, it would
 * vouch for a log whose earlier anchors are now a stranger's.
 */
export function anchorKeyIsMissing(keys: string, db: DatabaseSync): boolean {
  return !existsSync(join(keys, 'anchor.pem')) && db.prepare('SELECT 1 FROM projects LIMIT 1').get() !== undefined
}

/** What to do about it. */
export const ANCHOR_KEY_REMEDY =
  'Put keys/anchor.pem back. A home that never had one was begun when the evidence key still signed anchors: begin anew in another home, --home DIR.'

/** With its missing parents, one after another: a recursive mkdir never returns below /proc. */
function makeFolder(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return
  const parent = dirname(path)
  if (parent !== path) makeFolder(parent)
  try {
    mkdirSync(path, { mode: 0o700 })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    // Another process may have made it meanwhile.
    if (code === 'EEXIST' && statSync(path).isDirectory()) return
    if (code === 'ENOENT') throw new WaybillError('PERMISSION_DENIED', `No folder can be made in ${parent}. Choose another place.`)
    throw error
  }
}
