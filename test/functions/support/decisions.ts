import type { AuditEntry } from '../../../layers/core/schemas/governance.ts'
import { memoryReader, verifyPack } from '../../../layers/core/verifier/index.ts'
import type { Asked } from './asked.ts'
import { answer, asksToDecide, formOf } from './story.ts'

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

/** Everybody still asked approves, mail by mail from the one numbered `read`; then the sealed pack, and what the verifier says of it. */
export async function toTheEnd(asked: Asked, read: number): Promise<{ files: { path: string; bytes: Uint8Array }[]; faults: string[] }> {
  for (let next = read; asked.on.runner.describe(asked.run).status === 'RUNNING'; ) {
    const mail = asked.on.mails[next]
    if (mail === undefined) await new Promise((resolve) => setTimeout(resolve, 5))
    else {
      next += 1
      if (asksToDecide(mail)) await answer(asked.on, mail, { decision: 'approve' })
    }
  }
  const { artifacts, projects } = asked.on.ports
  const { state } = await projects.get(asked.projectId)
  if (state !== 'EVIDENCE_COMPLETE') throw new Error(`the migration ended as ${state}`)
  const prefix = `projects/${asked.projectId}/evidence_pack/`
  const files = await Promise.all(
    (await artifacts.list(prefix)).map(async (key) => ({
      path: key.slice(prefix.length),
      bytes: await artifacts.get((await artifacts.find(key))!),
    })),
  )
  return { files, faults: (await verifyPack(memoryReader(files))).faults }
}
