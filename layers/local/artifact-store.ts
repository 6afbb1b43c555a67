import { existsSync, mkdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { at, deniedAt } from '../core/denied.ts'
import { sha256 } from '../core/digest.ts'
import { WaybillError } from '../core/errors.ts'
import type { ArtifactStore, Clock } from '../core/ports.ts'
import type { ArtifactPointer } from '../core/schemas/common.ts'
import { transaction } from './database.ts'
import { publish, writeBeside } from './durable-file.ts'

const SCHEME = 'artifact:'
/** Parts of letters, digits, `.`, `_` and `-` that do not start with a dot: no `..`, no absolute path, no hidden file. */
const KEY = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}(\/[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}){0,15}$/

/**
 * Files under `folder`, read-only, named by their key; digest and retention in SQLite. The row decides what exists: a file without a row is
 * what a crash left of a write that nobody was told of.
 */
export function directoryArtifactStore({ folder, db, clock }: { folder: string; db: DatabaseSync; clock: Clock }): ArtifactStore {
  const select = db.prepare('SELECT * FROM artifacts WHERE key = ?')
  const insert = db.prepare('INSERT INTO artifacts (key, version_id, sha256, size, content_type, retain_until) VALUES (?, ?, ?, ?, ?, ?)')
  const prolong = db.prepare('UPDATE artifacts SET retain_until = max(retain_until, ?) WHERE key = ?')
  const forget = db.prepare('DELETE FROM artifacts WHERE key = ?')
  const below = db.prepare('SELECT key FROM artifacts WHERE substr(key, 1, length(?1)) = ?1 ORDER BY key')

  const rowOf = (pointer: ArtifactPointer) => {
    const key = pointer.uri.startsWith(SCHEME) ? pointer.uri.slice(SCHEME.length) : ''
    // Threat: a pointer comes from a document and could name any file on the machine.
    if (!KEY.test(key)) throw new WaybillError('NOT_FOUND', 'The pointer does not name an artifact of this home.')
    const row = select.get(key)
    if (row === undefined || row.version_id !== pointer.version_id)
      throw new WaybillError('NOT_FOUND', `The artifact ${key} is not in this home in the version named.`)
    if (row.sha256 !== pointer.sha256) throw altered(key)
    return { key, row }
  }

  return {
    async put(key, bytes, { contentType, retainUntil }) {
      validated(key)
      const pointer = pointerOf(key, sha256(bytes))
      const path = join(folder, key)
      folderFor(path, key)
      const temporary = at(dirname(path), () => writeBeside(path, bytes, 0o400))
      try {
        // Commit point. Naming the file and writing its row happen inside one write transaction.
        transaction(db, () => {
          const row = select.get(key)
          if (row !== undefined) {
            if (row.sha256 !== pointer.sha256)
              throw new WaybillError('ALREADY_EXISTS', `Other bytes are already stored under ${key}; artifacts are never overwritten.`)
            prolong.run(retainUntil.toISOString(), key)
            if (existsSync(path)) return
          } else rmSync(path, { force: true })
          if (publish(temporary, path) === 'taken')
            throw new WaybillError('CONFLICT', `Something else is writing into the home: ${key} appeared by itself. Try again.`)
          if (row === undefined) insert.run(key, pointer.version_id, pointer.sha256, bytes.length, contentType, retainUntil.toISOString())
        })
      } finally {
        rmSync(temporary, { force: true })
      }
      return pointer
    },

    async find(key) {
      const row = select.get(validated(key))
      return row === undefined ? null : pointerOf(key, String(row.sha256))
    },

    async get(pointer) {
      const { key } = rowOf(pointer)
      let bytes: Uint8Array
      try {
        bytes = readFileSync(join(folder, key))
      } catch (cause) {
        throw new WaybillError('EVIDENCE_INVALID', `The file of artifact ${key} was taken out of the home.`, { cause })
      }
      if (sha256(bytes) !== pointer.sha256) throw altered(key)
      return bytes
    },

    async list(prefix) {
      return below.all(prefix).map((row) => String(row.key))
    },

    async remove(pointer) {
      transaction(db, () => {
        const found = rowOf(pointer)
        const until = String(found.row.retain_until)
        if (clock.now().toISOString() < until)
          throw new WaybillError('RETENTION_ACTIVE', `The artifact ${found.key} must be kept until ${until}; it was not removed.`)
        forget.run(found.key)
        // Inside the transaction: once it ends, another writer may have stored the key anew.
        rmSync(join(folder, found.key), { force: true })
      })
    },
  }
}

function pointerOf(key: string, digest: string): ArtifactPointer {
  return { uri: `${SCHEME}${key}`, version_id: digest.slice(0, 32), sha256: digest }
}

function folderFor(path: string, key: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) return
  } catch (error) {
    if (!['EEXIST', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) throw deniedAt(error, dirname(path))
  }
  throw new WaybillError('BAD_INPUT', `The artifact key ${key} and a stored one lie inside each other; choose another key.`)
}

function validated(key: string): string {
  if (!KEY.test(key))
    throw new WaybillError(
      'BAD_INPUT',
      'An artifact key is made of letters, digits, ".", "_" and "-", in parts parted by "/"; no part starts with a dot.',
    )
  return key
}

function altered(key: string): WaybillError {
  return new WaybillError(
    'EVIDENCE_INVALID',
    `The bytes of artifact ${key} are not those that were recorded; they were changed by something else.`,
  )
}
