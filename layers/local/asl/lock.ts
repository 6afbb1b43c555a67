import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/**
 * One process at a time drives an execution. The lock is an open write transaction on a file of its own: the operating system
 * gives it back when the holder dies, however it dies, so a killed run can be resumed at once and two can never run.
 * @returns the release, or null when another holds it
 */
export function tryLock(folder: string, execution: string): (() => void) | null {
  const db = new DatabaseSync(join(folder, `${execution}.lock`), { timeout: 0 })
  try {
    db.exec('BEGIN EXCLUSIVE')
  } catch (error) {
    db.close()
    if (/\b(locked|busy)\b/.test((error as Error).message)) return null
    throw error
  }
  return () => {
    if (!db.isOpen) return
    db.exec('ROLLBACK')
    db.close()
  }
}
