import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { approveByMail } from '../../../cli/demo/approvers.ts'
import { exitCodeOf, withPlatform } from '../../../cli/run/drive.ts'
import { finished, startProject } from '../../../cli/run/project.ts'
import { writeResults } from '../../../cli/run/results.ts'
import { measured, printSummary, proofStatus } from '../../../cli/run/summary.ts'
import type { Terminal } from '../../../cli/terminal.ts'
import type { ProjectRecord } from '../../../layers/core/schemas/project.ts'

const ROLES = ['tech_lead', 'data_owner', 'security', 'qa_lead', 'business_owner', 'release_manager']

/** A spec of the head that all share, and these tables (YAML flow mappings, a line each). */
export function specOf(migrationId: string, tables: readonly string[], title = 'People and their logins'): string {
  return `migration_id: ${migrationId}
title: ${JSON.stringify(title)}
author: author@example.com
source: { system_type: POSTGRESQL, connection: { secret_ref: "env://SOURCE", tls_enabled: false } }
target: { system_type: POSTGRESQL, connection: { secret_ref: "env://TARGET", tls_enabled: false } }
tables:
${tables.map((table) => `  - ${table}`).join('\n')}
execution_config: { parallelism: 1, retry_policy: { max_retries: 1, initial_delay_ms: 1, backoff_multiplier: 1 } }
approvers:
${ROLES.map((role) => `  - { role: ${role}, email: ${role.replaceAll('_', '-')}@example.com }`).join('\n')}
`
}

export type Migrated = { project: ProjectRecord; code: number; terminal: string; prompts: number }

/**
 * One whole migration as the command drives it, workers in processes of their own, everybody approving; whatever it writes, prints, mails or
 * asks a model lies under `folder` afterwards: `home/`, `out/`, `pages/` that people opened, `terminal.txt` with the log in it, `prompts.txt`.
 */
export async function migrate(
  folder: string,
  spec: string,
  env: Record<string, string>,
  options: { before?: (worker: string) => Promise<void>; modelSays?: unknown } = {},
): Promise<Migrated> {
  mkdirSync(join(folder, 'home'), { recursive: true, mode: 0o700 })
  const said: string[] = []
  const prompts: string[] = []
  const terminal: Terminal = {
    out: (text) => void said.push(text),
    err: (text) => void said.push(text),
    paint: (_style, text) => text,
    progress: (text) => void said.push(text),
    endProgress: () => {},
    interactive: false,
  }
  mkdirSync(join(folder, 'pages'))
  const { fetch } = globalThis
  let pages = 0
  globalThis.fetch = async (...asked) => {
    const answer = await fetch(...asked)
    writeFileSync(join(folder, 'pages', `${String(++pages).padStart(3, '0')}.html`), await answer.clone().text())
    return answer
  }
  const stop = new AbortController()
  const approving = approveByMail(join(folder, 'home', 'outbox'), stop.signal, ({ approver, what }) => said.push(`${approver} ${what}`))
  try {
    return await withPlatform(
      {
        home: join(folder, 'home'),
        env: { PATH: process.env.PATH, HOME: process.env.HOME, WAYBILL_TRACE: '1', ...env },
        terminal,
        workers: 1,
        signal: stop.signal,
        beforeWorker: async (worker) => options.before?.(worker),
      },
      async (platform) => {
        platform.ports.model = {
          propose: async (request) => {
            prompts.push(JSON.stringify(request, null, 1))
            return options.modelSays ?? { remarks: [] }
          },
        }
        const project = await finished(platform, await startProject(platform, spec))
        const figures = await measured(platform.ports, project)
        const results = await writeResults(platform.ports, project, join(folder, 'out'))
        printSummary(terminal, project, figures)
        terminal.out(JSON.stringify({ project, results }, null, 2))
        return { project, code: exitCodeOf(project, proofStatus(figures)), terminal: said.join('\n'), prompts: prompts.length }
      },
    )
  } finally {
    stop.abort()
    await approving
    globalThis.fetch = fetch
    writeFileSync(join(folder, 'terminal.txt'), said.join('\n'))
    writeFileSync(join(folder, 'prompts.txt'), prompts.join('\n'))
  }
}
