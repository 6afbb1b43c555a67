import { formToken } from '../../layers/core/approval-page/form-token.ts'
import { notice } from '../../layers/core/approval-page/notice.ts'
import { htmlResponse } from '../../layers/core/approval-page/page.ts'
import { SCRIPT, SCRIPT_PATH } from '../../layers/core/approval-page/passkey-script.ts'
import { registrationPage } from '../../layers/core/approval-page/registration-page.ts'
import { PAGE_HEADERS, PASSKEY_HEADERS } from '../../layers/core/approval-page/style.ts'
import type { HttpRequest, HttpResponse, MakesMacs, Ports } from '../../layers/core/ports.ts'
import { type PasskeyDeps, registrationOptions, registrationSubject } from '../work/passkeys.ts'
import { planFormSubject, planOpening } from '../work/plan-link.ts'
import { approvalIdOf, type OpeningDeps, opening } from './opening.ts'
import { type PlanPath, planPageFor, planPathOf } from './plan-view.ts'
import { atTheBrowser, type SignInDeps, signInNotice, signInResponse } from './sign-in.ts'
import { pageFor, type ViewDeps, withdrawalForm } from './view.ts'

type Deps = OpeningDeps & ViewDeps & SignInDeps & PasskeyDeps & MakesMacs<'page'> & Pick<Ports, 'log'>

/**
 * Shows what a person decides on. GET, HEAD and OPTIONS change nothing, ever: mail scanners and browsers open links ahead of people,
 * so this function has no way to write (its deps hold nothing it calls to write). Nor can it make a link: a page gives back the one it was
 * opened with.
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
  if (http.path === SCRIPT_PATH)
    return { status: 200, headers: { ...PAGE_HEADERS, 'content-type': 'text/javascript; charset=utf-8' }, body: SCRIPT }
  try {
    const signIn = await signInResponse(deps, http)
    if (signIn !== null) return signIn
    const plan = planPathOf(http.path)
    if (plan !== null) return await planPage(deps, http, plan)
    const passkeyFor = approvalIdOf(http.path, 'passkeys')
    return passkeyFor === null ? await approvalPage(deps, http) : await passkeyPage(deps, http, passkeyFor)
  } catch (error) {
    deps.log.error('an approval page could not be shown', { error: error instanceof Error ? error.name : 'unknown' })
    return notice('trouble')
  }
}

async function approvalPage(deps: Deps, http: HttpRequest): Promise<HttpResponse> {
  const approvalId = approvalIdOf(http.path)
  if (approvalId === null) return notice('not-found')
  const token = http.query.t ?? ''
  const opened = await opening(deps, approvalId, token)
  if (!opened.open && opened.withdrawable === undefined) return notice(opened.why, opened.details)
  const who = await atTheBrowser(deps, http, opened.request!)
  if ('why' in who) return signInNotice(who.why, approvalId, 'approvals', token)
  const request = opened.request!
  const tokens = { linkToken: token, formToken: await newFormToken(deps, approvalId, request.subject.sha256) }
  if (opened.open) return pageFor(deps, request, opened.project, tokens)
  return notice('withdrawable', opened.details, withdrawalForm(request, tokens))
}

async function planPage(deps: Deps, http: HttpRequest, { page, projectId }: PlanPath): Promise<HttpResponse> {
  const token = http.query.t ?? ''
  const opened = await planOpening(deps, page, projectId, token)
  if (!opened.open) return notice(opened.why, opened.details)
  const who = await atTheBrowser(deps, http, { approver: opened.about.person.email })
  if ('why' in who) return signInNotice(who.why, projectId, page, token)
  const { about } = opened
  return planPageFor(deps, about, { linkToken: token, formToken: await newFormToken(deps, planFormSubject(about), about.planSha256) })
}

async function passkeyPage(deps: Deps, http: HttpRequest, approvalId: string): Promise<HttpResponse> {
  const token = http.query.t ?? ''
  const opened = await opening(deps, approvalId, token, 'passkeys')
  if (!opened.open) return notice(opened.why, opened.details)
  const { request } = opened
  const who = await atTheBrowser(deps, http, request)
  if ('why' in who) return signInNotice(who.why, approvalId, 'passkeys', token)
  const challenge = await newFormToken(deps, registrationSubject(request), request.subject.sha256)
  const html = registrationPage({
    approver: request.approver,
    action: `/passkeys/${request.approval_id}`,
    linkToken: token,
    formToken: challenge,
    options: JSON.stringify(await registrationOptions(deps, request, challenge)),
  })
  return { ...htmlResponse(200, html), headers: { ...PASSKEY_HEADERS } }
}

function newFormToken(deps: Deps, about: string, subjectSha256: string): Promise<string> {
  return formToken(deps.macMakers.page, about, subjectSha256, deps.clock.now())
}

function withAllow(response: HttpResponse): HttpResponse {
  return { ...response, headers: { ...response.headers, allow: 'GET, HEAD, OPTIONS, POST' } }
}
