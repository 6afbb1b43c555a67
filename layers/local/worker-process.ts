import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { z } from 'zod'
import { ERROR_CODES, type ErrorCode, WaybillError } from '../core/errors.ts'

export type WorkerProcess = {
  /** A file that node runs; the worker's own wiring. */
  entry: string
  /** The worker's whole environment. */
  env: Readonly<Record<string, string>>
  execArgv?: readonly string[]
  signal: AbortSignal
  /** Each JSON object the worker writes as a line on stdout. */
  onProgress?: (progress: unknown) => void
  /** Each line on stderr, for the log. */
  onLine?: (line: string) => void
}

/** From SIGTERM until SIGKILL: long enough to roll a transaction back. */
const GRACE_MS = 10_000
const LONGEST_LINE = 65_536
const lastWords = z.object({ error: z.string().max(256), cause: z.string().max(32_768) })

/**
 * Runs a worker as a child process and waits for it to end.
 * @throws the code and message of its last stderr line `{"error", "cause"}`; INTERRUPTED when it was killed or ended without saying why
 */
export function runWorkerProcess({ entry, env, execArgv = [], signal, onProgress, onLine }: WorkerProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(interrupted('The worker was not started: the run was interrupted.'))
    // stdin stays open and empty: its closing tells the worker that this process is gone.
    const child = spawn(process.execPath, [...execArgv, '--import', new URL('./parent-watch.ts', import.meta.url).href, entry], {
      env: { ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    child.stdin.on('error', () => undefined)

    let last = ''
    const out = eachLine(child.stdout, (line) => {
      const progress = asJson(line)
      if (progress !== undefined) onProgress?.(progress)
    })
    const err = eachLine(child.stderr, (line) => {
      last = line
      onLine?.(line)
    })

    let killer: NodeJS.Timeout | undefined
    const stop = () => {
      child.kill('SIGTERM')
      killer = setTimeout(() => child.kill('SIGKILL'), GRACE_MS)
    }
    signal.addEventListener('abort', stop, { once: true })
    const settle = () => {
      clearTimeout(killer)
      signal.removeEventListener('abort', stop)
    }

    child.on('error', (cause) => {
      settle()
      reject(new WaybillError('INTERRUPTED', 'The worker process could not be started.', { cause }))
    })
    child.on('close', (code, killedBy) => {
      settle()
      void Promise.all([out, err]).then(() => {
        if (code === 0 && !signal.aborted) resolve()
        else if (signal.aborted) reject(interrupted('The worker was stopped: the run was interrupted.'))
        else reject(failure(code, killedBy, last))
      })
    })
  })
}

function failure(code: number | null, killedBy: NodeJS.Signals | null, last: string): WaybillError {
  const said = lastWords.safeParse(asJson(last))
  if (!said.success)
    return interrupted(
      killedBy === null ? `The worker ended with exit code ${code} without saying why.` : `The worker was ended by ${killedBy}.`,
    )
  const { error, cause } = said.data
  return known(error) ? new WaybillError(error, cause) : interrupted(`The worker failed with ${error}: ${cause}`)
}

function known(code: string): code is ErrorCode {
  return ERROR_CODES.some((each) => each === code)
}

function interrupted(message: string): WaybillError {
  return new WaybillError('INTERRUPTED', message)
}

function asJson(line: string): unknown {
  if (!line.startsWith('{')) return undefined
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

/** Resolves when the stream is at its end. Lines longer than 64 KiB are cut: a worker gone wild must not fill this process. */
function eachLine(stream: Readable, take: (line: string) => void): Promise<void> {
  return new Promise((resolve) => {
    const lines = createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY })
    lines.on('line', (line) => take(line.slice(0, LONGEST_LINE)))
    lines.on('close', resolve)
  })
}
