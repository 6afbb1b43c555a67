import type { AuditEntry } from '../../../layers/core/schemas/governance.ts'
import type { Asked } from './asked.ts'
import { formOf } from './story.ts'

export const HOUR = 3_600_000

/** Sends a form as an attacker's tool would: no redirects, Origin as given. */
export async function post(link: URL, fields: URLSearchParams, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(new URL(link.pathname, link), {
    method: 'POST',
    redirect: 'manual',
    headers: { 'content-type': 'application/x-www-form-urlencoded', origin: link.origin, ...headers },
    body: fields,
  })
}

/** The page's form as a person fills it in. */
export async function filled(link: URL, decision: string, more: Record<string, string> = {}): Promise<URLSearchParams> {
  const fields = formOf(await (await fetch(link)).text())
  fields.set('decision', decision)
  for (const [name, value] of Object.entries(more)) fields.set(name, value)
  return fields
}

/** Status and heading. */
export async function heading(response: Response): Promise<[number, string | undefined]> {
  return [response.status, /<h1>([^<]+)/.exec(await response.text())?.[1]]
}

/** What a decision would change: requests, statements, the state, and calls that could change the target. */
export async function stand(asked: Asked) {
  const { approvals, artifacts, projects } = asked.on.ports
  const requests = await approvals.byProject(asked.projectId)
  return {
    decided: requests.filter((request) => request.status === 'DECIDED').length,
    statements: (await artifacts.list(`projects/${asked.projectId}/approvals/`)).length,
    state: (await projects.get(asked.projectId)).state,
    touched: [...asked.on.systems.touched],
  }
}

export async function chain(asked: Asked, action: string): Promise<AuditEntry[]> {
  return (await asked.on.ports.audit.read(asked.projectId)).filter((entry) => entry.action === action)
}

export async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let turns = 0; turns < 2000; turns++) {
    if (await holds()) return
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  throw new Error('it never came true')
}

/** Passes without sleeping: what would still happen has happened. */
export async function settled(): Promise<void> {
  for (let turns = 0; turns < 20; turns++) await new Promise((resolve) => setTimeout(resolve, 5))
}
