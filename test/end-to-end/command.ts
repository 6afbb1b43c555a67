import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../..', import.meta.url))
const entry = join(root, 'cli/main.ts')

export type Outcome = { code: number | null; out: string; err: string }
export type Running = { child: ChildProcess; done: Promise<Outcome>; saw(pattern: RegExp): Promise<void> }

/** Starts the `waybill` command as a person would, without a terminal. `saw` resolves when standard error shows the pattern. */
export function startWaybill(args: readonly string[], env: Record<string, string> = {}): Running {
  const child = spawn(process.execPath, [entry, ...args], {
    cwd: root,
    env: { ...process.env, ...env, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let out = ''
  let err = ''
  const waiting: { pattern: RegExp; resolve: () => void; reject: (error: Error) => void }[] = []
  const look = () => {
    for (const waiter of [...waiting]) {
      if (!waiter.pattern.test(err)) continue
      waiting.splice(waiting.indexOf(waiter), 1)
      waiter.resolve()
    }
  }
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString()
  })
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString()
    look()
  })
  const done = new Promise<Outcome>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => {
      for (const waiter of waiting) waiter.reject(new Error(`ended with ${code} before ${waiter.pattern} was seen:\n${err}\n${out}`))
      resolve({ code, out, err })
    })
  })
  const saw = (pattern: RegExp) =>
    new Promise<void>((resolve, reject) => {
      waiting.push({ pattern, resolve, reject })
      look()
    })
  return { child, done, saw }
}

export function waybill(args: readonly string[], env: Record<string, string> = {}): Promise<Outcome> {
  return startWaybill(args, env).done
}
