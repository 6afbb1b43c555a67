import { closeSync, openSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { WaybillError } from '../core/errors.ts'

/** Several processes share a home: a writer waits this long for another's transaction, which takes milliseconds. */
const BUSY_MS = 30_000
const VERSION = 4

/**
 * `audit_entries` and `events` have no update and no delete, by trigger: a bug cannot rewrite history. (A person with the file can; anchors show that.)
 * `frames` hold one line of execution each: the root, a branch, a Map item. `step` grows with every transition and retry, so that what
 * belongs to an earlier visit of a state is never mistaken for this one's.
 */
const SCHEMA = `
CREATE TABLE IF NOT EXISTS projects (project_id TEXT PRIMARY KEY, revision INTEGER NOT NULL, body TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS audit_entries (
  project_id TEXT NOT NULL, seq INTEGER NOT NULL, entry_sha256 TEXT NOT NULL, body TEXT NOT NULL,
  PRIMARY KEY (project_id, seq)) STRICT;
CREATE TRIGGER IF NOT EXISTS audit_entries_fixed BEFORE UPDATE ON audit_entries BEGIN SELECT RAISE(ABORT, 'audit entries never change'); END;
CREATE TRIGGER IF NOT EXISTS audit_entries_kept BEFORE DELETE ON audit_entries BEGIN SELECT RAISE(ABORT, 'audit entries are never deleted'); END;
CREATE TABLE IF NOT EXISTS approval_groups (
  group_id TEXT PRIMARY KEY, project_id TEXT NOT NULL, expires_at TEXT NOT NULL, told_at TEXT, sealed_token BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS closed_groups (group_id TEXT PRIMARY KEY REFERENCES approval_groups) STRICT;
CREATE TABLE IF NOT EXISTS approval_requests (
  approval_id TEXT PRIMARY KEY, group_id TEXT NOT NULL REFERENCES approval_groups, project_id TEXT NOT NULL,
  status TEXT NOT NULL, decision TEXT, body TEXT NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS approval_requests_by_group ON approval_requests (group_id);
CREATE INDEX IF NOT EXISTS approval_requests_by_project ON approval_requests (project_id);
CREATE TABLE IF NOT EXISTS leases (
  project_id TEXT PRIMARY KEY, holder TEXT NOT NULL, fence TEXT NOT NULL, expires_at TEXT NOT NULL, released INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS progress (
  project_id TEXT NOT NULL, task TEXT NOT NULL, beat_at TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (project_id, task)) STRICT;
CREATE TABLE IF NOT EXISTS artifacts (
  key TEXT PRIMARY KEY, version_id TEXT NOT NULL, sha256 TEXT NOT NULL, size INTEGER NOT NULL,
  content_type TEXT NOT NULL, retain_until TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS definitions (sha256 TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS executions (
  name TEXT PRIMARY KEY, machine TEXT NOT NULL, definition_sha256 TEXT NOT NULL REFERENCES definitions, parent TEXT, input TEXT NOT NULL,
  status TEXT NOT NULL, output TEXT, error TEXT, cause TEXT, started_at TEXT NOT NULL, stopped_at TEXT) STRICT;
CREATE TABLE IF NOT EXISTS frames (
  execution TEXT NOT NULL REFERENCES executions, frame TEXT NOT NULL, step INTEGER NOT NULL, state TEXT NOT NULL, input TEXT NOT NULL,
  variables TEXT NOT NULL, scope TEXT NOT NULL, entered_at TEXT NOT NULL, started_at TEXT NOT NULL, retries TEXT NOT NULL, pause_until TEXT, size INTEGER,
  weight INTEGER NOT NULL, status TEXT NOT NULL, output TEXT, error TEXT, cause TEXT,
  PRIMARY KEY (execution, frame)) STRICT;
CREATE TABLE IF NOT EXISTS task_tokens (
  token_sha256 TEXT PRIMARY KEY, token TEXT, execution TEXT NOT NULL REFERENCES executions, frame TEXT NOT NULL, step INTEGER NOT NULL,
  status TEXT NOT NULL, invoked INTEGER NOT NULL, beat_at TEXT NOT NULL, output TEXT, error TEXT, cause TEXT,
  UNIQUE (execution, frame, step)) STRICT;
CREATE TABLE IF NOT EXISTS events (
  execution TEXT NOT NULL, seq INTEGER NOT NULL, at TEXT NOT NULL, type TEXT NOT NULL, frame TEXT NOT NULL, state TEXT, detail TEXT,
  PRIMARY KEY (execution, seq)) STRICT;
CREATE TRIGGER IF NOT EXISTS events_fixed BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'events never change'); END;
CREATE TRIGGER IF NOT EXISTS events_kept BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'events are never deleted'); END;
`

/**
 * One connection to a home's database; another process may hold others. WAL and synchronous=FULL: what a commit returned from survives
 * a power cut. secure_delete: a spent task token leaves no bytes behind.
 * @throws BAD_INPUT when a newer Waybill wrote the file
 */
export function openDatabase(path: string): DatabaseSync {
  closeSync(openSync(path, 'a', 0o600))
  const db = new DatabaseSync(path, { timeout: BUSY_MS })
  try {
    db.exec('PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON')
    becomeWal(db)
    const found = Number(db.prepare('PRAGMA user_version').get()?.user_version)
    if (found > VERSION) throw new WaybillError('BAD_INPUT', `${path} was written by a newer Waybill. Use that version, or another home.`)
    if (found < VERSION)
      transaction(db, () => {
        db.exec(SCHEMA)
        db.exec(`PRAGMA user_version = ${VERSION}`)
      })
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

/** Switching a new file to WAL does not wait for others as a transaction does, so two first openers need a second try. */
function becomeWal(db: DatabaseSync): void {
  for (let attempt = 0; ; attempt++) {
    try {
      db.exec('PRAGMA journal_mode = WAL')
      return
    } catch (error) {
      if (attempt === 100) throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20)
    }
  }
}

/** Runs `work` as the only writer of the home; commits what it did, or nothing. `work` is synchronous, so nothing else slips in between. */
export function transaction<T>(db: DatabaseSync, work: () => T): T {
  db.exec('BEGIN IMMEDIATE')
  try {
    const result = work()
    db.exec('COMMIT')
    return result
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK')
    throw error
  }
}
