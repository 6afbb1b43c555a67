import { createHash, randomBytes } from 'node:crypto'
import type { DatabaseSync } from 'node:sqlite'
import { transaction } from '../database.ts'
import type { Json } from './definition.ts'
import type { Child, Execution, ExecutionEvent, ExecutionStatus, Frame, Scope, Token } from './execution.ts'
import { type Failure, Halted } from './failure.ts'
import type { Machine } from './load.ts'

export function tokenDigest(token: string): string {
  return createHash('sha256').update(token).digest('hex')
}

export type ExecutionStore = ReturnType<typeof executionStore>

/**
 * Executions in SQLite. Each method is one transaction. Those that move a frame require that its execution is RUNNING and that the frame is where the
 * caller believes, and throw Halted otherwise: a run that was stopped from outside cannot write any more.
 */
export function executionStore(db: DatabaseSync, now: () => Date) {
  const sql = (text: string) => db.prepare(text)
  const insertDefinition = sql('INSERT INTO definitions (sha256, body) VALUES (?, ?) ON CONFLICT DO NOTHING')
  const selectDefinition = sql('SELECT body FROM definitions d JOIN executions e ON e.definition_sha256 = d.sha256 WHERE e.name = ?')
  const insertExecution = sql(
    "INSERT INTO executions (name, machine, definition_sha256, parent, input, status, started_at) VALUES (?, ?, ?, ?, ?, 'RUNNING', ?) ON CONFLICT DO NOTHING",
  )
  const selectExecution = sql('SELECT * FROM executions WHERE name = ?')
  const selectRunning = sql("SELECT name FROM executions WHERE status = 'RUNNING' ORDER BY started_at, name")
  const endExecution = sql(
    "UPDATE executions SET status = ?, output = ?, error = ?, cause = ?, stopped_at = ? WHERE name = ? AND status = 'RUNNING'",
  )
  const reopenExecution = sql(
    "UPDATE executions SET status = 'RUNNING', error = NULL, cause = NULL, stopped_at = NULL, started_at = ? WHERE name = ? AND status IN ('FAILED', 'TIMED_OUT', 'ABORTED')",
  )
  const reopenRoot = sql(
    "UPDATE frames SET status = 'RUNNING', step = step + 1, error = NULL, cause = NULL, retries = '[]', pause_until = NULL, size = NULL, started_at = ? WHERE execution = ? AND frame = 'root'",
  )
  const selectNested = sql("SELECT name FROM executions WHERE status = 'RUNNING' AND substr(parent, 1, length(?1)) = ?1")
  const insertFrame = sql(
    `INSERT INTO frames (execution, frame, step, state, input, variables, scope, entered_at, started_at, retries, weight, status)
     VALUES (?, ?, 0, ?, ?, '{}', ?, ?, ?, '[]', ?, 'RUNNING')`,
  )
  const selectFrame = sql('SELECT * FROM frames WHERE execution = ? AND frame = ?')
  const selectLive = sql("SELECT frame, state, entered_at, size FROM frames WHERE execution = ? AND status = 'RUNNING' ORDER BY frame")
  const guard = "execution = ? AND frame = ? AND step = ? AND status = 'RUNNING'"
  const moveFrame = sql(
    `UPDATE frames SET step = step + 1, state = ?, input = ?, variables = ?, entered_at = ?, started_at = ?, retries = '[]', pause_until = NULL, size = NULL WHERE ${guard}`,
  )
  const retryFrame = sql(`UPDATE frames SET step = step + 1, started_at = ?, retries = ?, pause_until = ?, size = NULL WHERE ${guard}`)
  const pauseFrame = sql(`UPDATE frames SET pause_until = ? WHERE ${guard}`)
  const startFrame = sql(`UPDATE frames SET started_at = ? WHERE ${guard}`)
  const spreadFrame = sql(`UPDATE frames SET size = ? WHERE ${guard}`)
  const endFrame = sql(`UPDATE frames SET status = ?, output = ?, error = ?, cause = ? WHERE ${guard}`)
  const cancelFrames = sql(
    "UPDATE frames SET status = 'CANCELLED' WHERE execution = ?1 AND status = 'RUNNING' AND substr(frame, 1, length(?2)) = ?2",
  )
  const expireTokens = sql(
    "UPDATE task_tokens SET status = 'EXPIRED', token = NULL WHERE execution = ?1 AND status = 'WAITING' AND substr(frame, 1, length(?2)) = ?2",
  )
  const expireToken = sql(
    "UPDATE task_tokens SET status = 'EXPIRED', token = NULL WHERE execution = ? AND frame = ? AND step = ? AND status = 'WAITING'",
  )
  const insertToken = sql(
    "INSERT INTO task_tokens (token_sha256, token, execution, frame, step, status, invoked, beat_at) VALUES (?, ?, ?, ?, ?, 'WAITING', 0, ?)",
  )
  const selectToken = sql('SELECT * FROM task_tokens WHERE execution = ? AND frame = ? AND step = ?')
  const tokenInvoked = sql('UPDATE task_tokens SET invoked = 1, token = NULL, beat_at = ? WHERE execution = ? AND frame = ? AND step = ?')
  const insertEvent = sql(
    'INSERT INTO events (execution, seq, at, type, frame, state, detail) VALUES (?1, (SELECT coalesce(max(seq), 0) + 1 FROM events WHERE execution = ?1), ?, ?, ?, ?, ?)',
  )
  const selectEvents = sql('SELECT at, type, frame, state, detail FROM events WHERE execution = ? ORDER BY seq')

  const at = () => now().toISOString()
  const note = (execution: string, type: string, frame: string, state: string | null, detail: string | null = null) =>
    insertEvent.run(execution, at(), type, frame, state, detail)
  const status = (name: string) => selectExecution.get(name)?.status

  /** One transaction that moves a frame; Halted unless exactly that frame was there to move. */
  const moving = (execution: string, frame: Frame, work: (key: [string, string, number]) => number | bigint) =>
    transaction(db, () => {
      if (status(execution) !== 'RUNNING' || Number(work([execution, frame.frame, frame.step])) !== 1) throw new Halted()
    })

  const stopBelow = (prefix: string) => {
    for (const { name } of selectNested.all(prefix))
      finish(String(name), 'ABORTED', null, { error: 'States.Aborted', cause: 'The execution that started this one went on without it.' })
  }

  /** Nothing that belongs to this visit of the frame's state may go on: items, tokens, nested executions. */
  const clear = (execution: string, frame: Frame) => {
    const below = `${frame.frame}/${frame.step}.`
    cancelFrames.run(execution, below)
    expireTokens.run(execution, below)
    expireToken.run(execution, frame.frame, frame.step)
    stopBelow(`${execution} ${below}`)
    stopBelow(`${execution} ${frame.frame}@${frame.step} `)
  }

  /** Call within a transaction. */
  function finish(name: string, end: Exclude<ExecutionStatus, 'RUNNING'>, output: Json | null, failure: Failure | null): boolean {
    const text = end === 'SUCCEEDED' ? JSON.stringify(output) : null
    if (Number(endExecution.run(end, text, failure?.error ?? null, failure?.cause ?? null, at(), name).changes) !== 1) return false
    cancelFrames.run(name, '')
    expireTokens.run(name, '')
    stopBelow(`${name} `)
    note(name, `Execution${end.charAt(0)}${end.slice(1).toLowerCase().replace('_o', 'O')}`, 'root', null, failure?.error ?? null)
    return true
  }

  return {
    /** @returns false when the name is taken */
    create(name: string, machine: string, loaded: Machine, input: Json, parent: string | null): boolean {
      return transaction(db, () => {
        insertDefinition.run(loaded.sha256, loaded.text)
        const text = JSON.stringify(input)
        if (Number(insertExecution.run(name, machine, loaded.sha256, parent, text, at()).changes) !== 1) return false
        const { StartAt } = loaded.definition
        insertFrame.run(name, 'root', StartAt, text, JSON.stringify({ variables: {} } satisfies Scope), at(), at(), 1)
        note(name, 'ExecutionStarted', 'root', null, machine)
        note(name, 'StateEntered', 'root', StartAt)
        return true
      })
    },

    execution(name: string): (Execution & { parent: string | null }) | null {
      const row = selectExecution.get(name)
      if (row === undefined) return null
      return {
        name,
        machine: String(row.machine),
        parent: row.parent === null ? null : String(row.parent),
        status: row.status as ExecutionStatus,
        input: json(row.input),
        output: row.output === null ? null : json(row.output),
        failure: failureOf(row),
        started_at: String(row.started_at),
        stopped_at: row.stopped_at === null ? null : String(row.stopped_at),
      }
    },

    status: (name: string) => status(name) as ExecutionStatus | undefined,
    running: () => selectRunning.all().map((row) => String(row.name)),
    definition: (name: string): Json => json(selectDefinition.get(name)?.body),

    finish: (name: string, end: Exclude<ExecutionStatus, 'RUNNING' | 'SUCCEEDED'>, failure: Failure) =>
      transaction(db, () => finish(name, end, null, failure)),

    /** Opens what ended badly again at the state that did not succeed, with the same input and new attempts. @returns false when it did not end badly */
    redrive: (name: string): boolean =>
      transaction(db, () => {
        if (Number(reopenExecution.run(at(), name).changes) !== 1) return false
        reopenRoot.run(at(), name)
        note(name, 'ExecutionRedriven', 'root', null)
        return true
      }),

    frame(execution: string, frame: string): Frame {
      const row = selectFrame.get(execution, frame)
      if (row === undefined) throw new Halted()
      return {
        frame,
        step: Number(row.step),
        state: String(row.state),
        input: json(row.input),
        variables: json(row.variables) as Record<string, Json>,
        scope: json(row.scope) as unknown as Scope,
        entered_at: String(row.entered_at),
        started_at: String(row.started_at),
        retries: json(row.retries) as number[],
        pause_until: row.pause_until === null ? null : String(row.pause_until),
        size: row.size === null ? null : Number(row.size),
        weight: Number(row.weight),
        status: row.status as Frame['status'],
        output: row.output === null ? null : json(row.output),
        failure: failureOf(row),
      }
    },

    live: (execution: string) =>
      selectLive.all(execution).map((row) => ({
        frame: String(row.frame),
        state: String(row.state),
        entered_at: String(row.entered_at),
        items: row.size === null ? null : Number(row.size),
      })),

    /** Commit point of a transition: the state's output is the next state's input. */
    move(execution: string, frame: Frame, to: string, input: Json, variables: Record<string, Json>): void {
      moving(execution, frame, (key) => {
        clear(execution, frame)
        note(execution, 'StateExited', frame.frame, frame.state)
        note(execution, 'StateEntered', frame.frame, to)
        return moveFrame.run(to, JSON.stringify(input), JSON.stringify(variables), at(), at(), ...key).changes
      })
    },

    end(execution: string, frame: Frame, output: Json): void {
      moving(execution, frame, (key) => {
        clear(execution, frame)
        note(execution, 'StateExited', frame.frame, frame.state)
        const changes = endFrame.run('SUCCEEDED', JSON.stringify(output), null, null, ...key).changes
        if (frame.frame === 'root') finish(execution, 'SUCCEEDED', output, null)
        return changes
      })
    },

    fail(execution: string, frame: Frame, failure: Failure): void {
      moving(execution, frame, (key) => {
        clear(execution, frame)
        note(execution, 'StateFailed', frame.frame, frame.state, failure.error)
        const changes = endFrame.run('FAILED', null, failure.error, failure.cause, ...key).changes
        if (frame.frame === 'root') finish(execution, 'FAILED', null, failure)
        return changes
      })
    },

    caught(execution: string, frame: Frame, failure: Failure): void {
      note(execution, 'StateCaught', frame.frame, frame.state, failure.error)
    },

    retry(execution: string, frame: Frame, failure: Failure, retries: readonly number[], until: Date): void {
      moving(execution, frame, (key) => {
        clear(execution, frame)
        note(execution, 'StateRetried', frame.frame, frame.state, failure.error)
        return retryFrame.run(until.toISOString(), JSON.stringify(retries), until.toISOString(), ...key).changes
      })
    },

    pause(execution: string, frame: Frame, until: Date): void {
      moving(execution, frame, (key) => pauseFrame.run(until.toISOString(), ...key).changes)
    },

    /** A task is about to be started, for the first time or again after an interruption. */
    begin(execution: string, frame: Frame): void {
      moving(execution, frame, (key) => {
        note(execution, 'TaskStarted', frame.frame, frame.state)
        return startFrame.run(at(), ...key).changes
      })
    },

    /** Records branches or items before any of them starts. */
    spread(execution: string, frame: Frame, children: readonly Child[]): void {
      moving(execution, frame, (key) => {
        children.forEach((child, index) => {
          const id = `${frame.frame}/${frame.step}.${index}`
          insertFrame.run(execution, id, child.state, JSON.stringify(child.input), JSON.stringify(child.scope), at(), at(), child.weight)
        })
        note(execution, 'ItemsStarted', frame.frame, frame.state, String(children.length))
        return spreadFrame.run(children.length, ...key).changes
      })
    },

    /** The token of this visit of a waiting task, made if it is not there. */
    token(execution: string, frame: Frame): Token {
      const existing = selectToken.get(execution, frame.frame, frame.step)
      if (existing !== undefined) return tokenOf(existing)
      const token = randomBytes(32).toString('base64url')
      moving(execution, frame, (key) => insertToken.run(tokenDigest(token), token, ...key, at()).changes)
      return tokenOf(selectToken.get(execution, frame.frame, frame.step)!)
    },

    /** From here on the token is known as a digest only, and the task is not invoked again. */
    invoked(execution: string, frame: Frame): void {
      moving(execution, frame, (key) => {
        note(execution, 'TaskSubmitted', frame.frame, frame.state)
        return tokenInvoked.run(at(), ...key).changes
      })
    },

    /** @returns false when the task was completed just before */
    expire(execution: string, frame: Frame): boolean {
      return Number(expireToken.run(execution, frame.frame, frame.step).changes) === 1
    },

    history: (execution: string): ExecutionEvent[] => selectEvents.all(execution).map((row) => ({ ...row }) as unknown as ExecutionEvent),
  }
}

function json(text: unknown): Json {
  return JSON.parse(String(text))
}

function failureOf(row: Record<string, unknown>): Failure | null {
  return row.error === null ? null : { error: String(row.error), cause: String(row.cause ?? '') }
}

function tokenOf(row: Record<string, unknown>): Token {
  return {
    token: row.token === null ? null : String(row.token),
    status: row.status as Token['status'],
    invoked: Number(row.invoked) === 1,
    beat_at: String(row.beat_at),
    output: row.output === null ? null : json(row.output),
    failure: { error: String(row.error ?? ''), cause: String(row.cause ?? '') },
  }
}
