import { notice } from '../../layers/core/approval-page/notice.ts'
import { htmlResponse } from '../../layers/core/approval-page/page.ts'
import type { HttpRequest, HttpResponse, Ports } from '../../layers/core/ports.ts'
import { approvalIdOf, type OpeningDeps, opening } from './opening.ts'
import { pageFor, type ViewDeps } from './view.ts'

type Deps = OpeningDeps & ViewDeps & Pick<Ports, 'log'>

/**
 * Shows what a person decides on. GET, HEAD and OPTIONS change nothing, ever: mail scanners and browsers open links ahead of people,
 * so this function has no way to write (its deps hold nothing it calls to write).
 */
export function createHandler(deps: Deps) {
  return async (http: HttpRequest): Promise<HttpResponse> => {
    const method = http.method.toUpperCase()
    if (method === 'OPTIONS') return { ...notice('method'), status: 204, body: '' }
    if (method !== 'GET' && method !== 'HEAD') return withAllow(notice('method'))
    const response = await respond(deps, http)
    return method === 'HEAD' ? { ...response, body: '' } : response
  }
}

async function respond(deps: Deps, http: HttpRequest): Promise<HttpResponse> {
  const approvalId = approvalIdOf(http.path)
  if (approvalId === null) return notice('not-found')
  try {
    const opened = await opening(deps, approvalId, http.query.t ?? '')
    if (!opened.open) return notice(opened.why, opened.details)
    return htmlResponse(200, await pageFor(deps, opened.request, opened.project))
  } catch (error) {
    deps.log.error('an approval page could not be shown', {
      error: error instanceof Error ? error.name : 'unknown',
      approval_id: approvalId,
    })
    return notice('trouble')
  }
}

function withAllow(response: HttpResponse): HttpResponse {
  return { ...response, headers: { ...response.headers, allow: 'GET, HEAD, OPTIONS, POST' } }
}
