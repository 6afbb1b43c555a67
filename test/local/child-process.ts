import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export type Child = {
  process: ChildProcess
  lines: string[]
  line(test: (line: string) => boolean): Promise<string>
  ended: Promise<{ code: number | null; signal: string | null; stderr: string }>
}

/** Runs a file of `children/` in a process of its own; it reports by lines on stdout. */
export function startChild(file: string, ...args: string[]): Child {
  const process_ = spawn(process.execPath, [fileURLToPath(new URL(`./children/${file}`, import.meta.url)), ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  const lines: string[] = []
  const waiting = new Set<() => void>()
  let rest = ''
  let stderr = ''
  let over = false
  process_.stdout.on('data', (chunk) => {
    const parts = `${rest}${chunk}`.split('\n')
    rest = parts.pop() ?? ''
    lines.push(...parts)
    for (const look of waiting) look()
  })
  process_.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  const ended = new Promise<{ code: number | null; signal: string | null; stderr: string }>((resolve) => {
    process_.on('close', (code, signal) => {
      over = true
      for (const look of waiting) look()
      resolve({ code, signal, stderr })
    })
  })
  const line = (test: (line: string) => boolean) =>
    new Promise<string>((resolve, reject) => {
      const look = () => {
        const found = lines.find(test)
        if (found === undefined && !over) return
        waiting.delete(look)
        if (found === undefined) reject(new Error(`the child ended first: ${stderr}`))
        else resolve(found)
      }
      waiting.add(look)
      look()
    })
  return { process: process_, lines, line, ended }
}
