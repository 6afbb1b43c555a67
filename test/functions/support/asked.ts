import type { HttpRequest, HttpResponse, Mail } from '../../../layers/core/ports.ts'
import type { Policy } from '../../../layers/core/schemas/policy.ts'
import { type HttpServer, serveLoopback } from '../../../layers/local/http-server.ts'
import { type TestPlatform, testPlatform } from './platform.ts'
import { answer, asksToDecide, type SpecOptions, storeSpec, yes } from './story.ts'

export type Asked = { on: TestPlatform; projectId: string; server: HttpServer; run: string; mail(to: string): Mail; close(): Promise<void> }

/** A platform whose approval pages are served over real HTTP, with one migration waiting for the person whose mail is not answered. */
export async function askedFor(
  waiting: (mail: Mail) => boolean,
  /** `host`: the name people reach the pages under; passkeys need a name, an address will not do. */
  options: { spec?: SpecOptions; policy?: Partial<Policy>; host?: string } = {},
): Promise<Asked> {
  let serve: (request: HttpRequest) => Promise<HttpResponse> = () => Promise.reject(new Error('too early'))
  const server = await serveLoopback(0, (request) => serve(request))
  const publicUrl = options.host ? server.url.replace('127.0.0.1', options.host) : server.url
  const on = await testPlatform({ publicUrl, ...(options.policy ? { policy: options.policy } : {}) })
  serve = on.http
  const projectId = await storeSpec(on, options.spec ?? {})
  const run = `${projectId}-run`
  await on.runner.start('migration', run, { project_id: projectId, run_id: 'run-1' })
  for (let read = 0; ; ) {
    const mail = on.mails[read]
    if (mail === undefined) {
      if (on.runner.describe(run).status !== 'RUNNING') throw new Error('the migration ended before anybody was asked')
      await new Promise((resolve) => setTimeout(resolve, 5))
      continue
    }
    read += 1
    if (waiting(mail)) break
    if (asksToDecide(mail)) await answer(on, mail, yes(mail)!)
  }
  // Everyone of the group has mail before the state waits.
  while (on.runner.describe(run).standing.every((each) => !each.state.startsWith('Request')))
    await new Promise((resolve) => setTimeout(resolve, 5))
  await new Promise((resolve) => setTimeout(resolve, 50))
  return {
    on,
    projectId,
    server,
    run,
    mail: (to) => on.mails.findLast((mail) => mail.to === to)!,
    async close() {
      await server.close()
      await on.close()
    },
  }
}
