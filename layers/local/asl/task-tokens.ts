import type { DatabaseSync } from 'node:sqlite'
import { WaybillError } from '../../core/errors.ts'
import type { TaskTokens } from '../../core/ports.ts'
import { tokenDigest } from './execution-store.ts'
import { PAYLOAD_LIMIT } from './expression.ts'

/**
 * Completes waiting tasks, from the process that runs them or any other with the same home. The database keeps SHA-256 of a token, not the token:
 * who reads the file cannot decide anything with it. (Until the task was invoked the token itself is kept, because an interrupted invocation is
 * repeated with the same one.)
 * @param onCompleted tells the interpreter in this process, which otherwise looks every now and then
 */
export function sqliteTaskTokens({
  db,
  now,
  onCompleted = () => undefined,
}: {
  db: DatabaseSync
  now: () => Date
  onCompleted?: () => void
}): TaskTokens & { heartbeat(token: string): Promise<void> } {
  // One statement each: of two completions at once, one finds nothing to complete.
  const live =
    "token_sha256 = ? AND status = 'WAITING' AND EXISTS (SELECT 1 FROM executions e WHERE e.name = execution AND e.status = 'RUNNING')"
  const succeeded = db.prepare(`UPDATE task_tokens SET status = 'SUCCEEDED', output = ? WHERE ${live}`)
  const failed = db.prepare(`UPDATE task_tokens SET status = 'FAILED', error = ?, cause = ? WHERE ${live}`)
  const beat = db.prepare(`UPDATE task_tokens SET beat_at = ? WHERE ${live}`)
  const done = (changes: number | bigint) => {
    if (Number(changes) === 0) throw new WaybillError('NOT_FOUND', 'The task that waited here was completed, has expired or was stopped.')
    onCompleted()
  }
  return {
    async succeed(token, output) {
      const text = JSON.stringify(output)
      if (text === undefined) throw new WaybillError('BAD_INPUT', 'A task is completed with a JSON value.')
      if (Buffer.byteLength(text) > PAYLOAD_LIMIT)
        throw new WaybillError('TOO_LARGE', `A task's output has at most ${PAYLOAD_LIMIT} bytes; store an artifact and pass its pointer.`)
      done(succeeded.run(text, tokenDigest(token)).changes)
    },
    async fail(token, error, cause) {
      done(failed.run(error.slice(0, 256), cause.slice(0, 32_768), tokenDigest(token)).changes)
    },
    async heartbeat(token) {
      done(beat.run(now().toISOString(), tokenDigest(token)).changes)
    },
  }
}
