import { chmodSync, mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
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

/** Opens a home, making it if it is not there: folders 0700, files 0600. Other processes may have it open. */
export function openHome(folder: string): Home {
  const root = resolve(folder)
  const at = (name: string) => join(root, name)
  for (const path of [root, at('artifacts'), at('keys'), at('outbox'), at('locks')]) {
    mkdirSync(path, { recursive: true, mode: 0o700 })
    // A home made by hand may be open to others; keys and sealed tokens lie in it.
    chmodSync(path, 0o700)
  }
  const db = openDatabase(at('waybill.sqlite'))
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
