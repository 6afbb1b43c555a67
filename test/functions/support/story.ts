import { keyOf } from '../../../layers/core/flow/storing.ts'
import type { HttpRequest, Mail } from '../../../layers/core/ports.ts'
import type { ProjectRecord } from '../../../layers/core/schemas/project.ts'
import type { TestPlatform } from './platform.ts'

export const PEOPLE = {
  tech_lead: 'tech.lead@example.com',
  data_owner: 'data.owner@example.com',
  security: 'security@example.com',
  qa_lead: 'qa.lead@example.com',
  business_owner: 'business.owner@example.com',
  release_manager: 'release.manager@example.com',
} as const

export type SpecOptions = {
  approvers?: Partial<Record<keyof typeof PEOPLE, string | null>>
  ask?: boolean
  autoRollback?: boolean
  title?: string
  target?: { schema: string; name: string }
}

/** One table of three columns; with `ask`, `price` loses decimals and a person has to say whether it may. */
export function specText(options: SpecOptions = {}): string {
  const people: Record<string, string | null> = { ...PEOPLE, ...options.approvers }
  return JSON.stringify({
    schema: 'waybill/migration-spec/v1',
    migration_id: 'items',
    title: options.title ?? 'Items from the old shop to the new one',
    author: 'author@example.com',
    source: { system_type: 'POSTGRESQL', connection: { secret_ref: 'env://SOURCE' } },
    target: { system_type: 'POSTGRESQL', connection: { secret_ref: 'env://TARGET' } },
    tables: [
      {
        source: 'public.items',
        target: options.target ?? { schema: 'public', name: 'item' },
        columns: [
          { target: 'id', source: ['id'], type: 'integer' },
          { target: 'label', source: ['label'], type: 'text' },
          options.ask
            ? { target: 'price', source: ['price'], type: 'numeric(10,2)', transform: { kind: 'cast' } }
            : { target: 'price', source: ['price'], type: 'numeric(12,4)' },
        ],
      },
    ],
    checks: [{ kind: 'row_count', table: options.target?.name ?? 'item' }],
    rollback_config: { auto_rollback_enabled: options.autoRollback ?? true },
    approvers: Object.entries(people).flatMap(([role, email]) => (email === null ? [] : [{ role, email }])),
  })
}

let count = 0

/** Stores the spec as the command does. @returns the new project's id */
export async function storeSpec(on: TestPlatform, options: SpecOptions = {}): Promise<string> {
  const id = `p${process.pid}-${++count}`
  await on.ports.artifacts.put(keyOf(id, 'spec', '1'), Buffer.from(specText(options)), {
    contentType: 'application/json',
    retainUntil: new Date(),
  })
  return id
}

/** One person's answer to one mail; null leaves it for later. */
export type Answer = { decision: 'approve' | 'reject' | 'answer'; reason?: string } | null
export const yes = (mail: Mail): Answer => ({ decision: mail.subject.startsWith('Please answer') ? 'answer' : 'approve' })

export function linkIn(mail: Mail): URL {
  return new URL(/https?:\/\/\S+\/approvals\/\S+/.exec(mail.text)![0])
}

/** The fields a browser would send with this page's form; radios take their first choice. */
export function formOf(page: string): URLSearchParams {
  const fields = new URLSearchParams()
  for (const [, name, value] of page.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)) fields.set(name!, value!)
  for (const [, name, value] of page.matchAll(/<input type="radio" id="[^"]+" name="([^"]+)" value="([^"]*)"/g))
    if (!fields.has(name!)) fields.set(name!, value!)
  fields.set('digest_prefix', /class="digest"><code><b>([0-9a-f]{8})<\/b>/.exec(page)?.[1] ?? '')
  return fields
}

export function getRequest(link: URL, more: Partial<HttpRequest> = {}): Partial<HttpRequest> {
  return { method: 'GET', path: link.pathname, query: Object.fromEntries(link.searchParams), ...more }
}

export function postRequest(link: URL, fields: URLSearchParams, more: Partial<HttpRequest> = {}): Partial<HttpRequest> {
  return {
    method: 'POST',
    path: link.pathname,
    headers: { 'content-type': 'application/x-www-form-urlencoded', origin: link.origin },
    body: fields.toString(),
    ...more,
  }
}

/** Whether the mail asks for a decision; the author's own only says how to withdraw the plan. */
export const asksToDecide = (mail: Mail): boolean => /\/approvals\//.test(mail.text)

export async function answer(on: TestPlatform, mail: Mail, given: NonNullable<Answer>): Promise<number> {
  const link = linkIn(mail)
  const page = await on.http(getRequest(link))
  const fields = formOf(page.body)
  fields.set('decision', given.decision)
  fields.set('reason', given.reason ?? '')
  return (await on.http(postRequest(link, fields))).status
}

/** Runs the migration machine once, people answering their mail, and gives the project as it stands then. */
export async function tell(
  on: TestPlatform,
  projectId: string,
  people: (mail: Mail) => Answer = yes,
): Promise<{ status: string; project: ProjectRecord | null }> {
  const run = `run-${++count}`
  await on.runner.start('migration', `${projectId}-${run}`, { project_id: projectId, run_id: run })
  let ended = false
  const end = on.runner.wait(`${projectId}-${run}`).finally(() => {
    ended = true
  })
  let read = on.mails.length
  while (!ended) {
    while (read < on.mails.length) {
      const mail = on.mails[read++]!
      if (!asksToDecide(mail)) continue
      const given = people(mail)
      if (given !== null) await answer(on, mail, given)
    }
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  const { status } = await end
  return { status, project: await on.ports.projects.get(projectId).catch(() => null) }
}

/** Every edge taken, `machine/State>State`, from what the interpreter recorded. */
export function edgesTaken(on: TestPlatform): Set<string> {
  const edges = new Set<string>()
  for (const name of on.executions()) {
    const machine = on.runner.describe(name).machine
    const last = new Map<string, string>()
    for (const event of on.runner.history(name)) {
      if (event.state === null) continue
      const before = last.get(event.frame)
      if (before !== undefined && before !== event.state) edges.add(`${machine}/${before}>${event.state}`)
      last.set(event.frame, event.state)
    }
  }
  return edges
}
