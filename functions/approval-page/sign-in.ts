import { type NoticeKind, notice } from '../../layers/core/approval-page/notice.ts'
import { cookie, type PendingSignIn, pendingSignIn, readCookie, session } from '../../layers/core/approval-page/session.ts'
import { PAGE_HEADERS } from '../../layers/core/approval-page/style.ts'
import { escapeMarkup } from '../../layers/core/approval-page/visible-text.ts'
import { samePerson } from '../../layers/core/approvals.ts'
import { isWaybillError } from '../../layers/core/errors.ts'
import type { ChecksMacs, HttpRequest, HttpResponse, MakesMacs, Person, Ports } from '../../layers/core/ports.ts'
import type { ApprovalRequest } from '../../layers/core/schemas/governance.ts'
import { type PlanLinkDeps, planOpening } from '../work/plan-link.ts'
import { type OpeningDeps, opening } from './opening.ts'

export type BrowserDeps = Pick<Ports, 'signIn' | 'clock'> & ChecksMacs<'page'>
export type SignInDeps = OpeningDeps & PlanLinkDeps & BrowserDeps & MakesMacs<'page'> & Pick<Ports, 'ids' | 'publicUrl' | 'log'>
type Folder = PendingSignIn['folder']

const SIGN_IN = '/sign-in'
const CALLBACK = '/sign-in/callback'
const SIGN_IN_SECONDS = 600
const SESSION_SECONDS = 3600

/**
 * Who is at the browser: `person` null where no identity provider is configured, and `why` where one is and this is nobody, or not the
 * invited person. Addresses are compared as separation of duties compares them.
 */
export async function atTheBrowser(
  deps: BrowserDeps,
  http: HttpRequest,
  request: Pick<ApprovalRequest, 'approver'>,
): Promise<{ person: Person | null } | { why: NoticeKind }> {
  if (deps.signIn === null) return { person: null }
  const found = await readCookie(deps.macCheckers.page, 'session', http.headers.cookie, session, deps.clock.now())
  if (found === null) return { why: 'sign-in' }
  if (found.email === null || !samePerson(found.email, request.approver)) return { why: 'other-person' }
  return { person: { issuer: found.issuer, subject: found.subject, email: found.email } }
}

/** The notice for somebody who has to sign in, first or as somebody else, with the way there. */
export function signInNotice(why: NoticeKind, id: string, folder: Folder, token: string): HttpResponse {
  const query = new URLSearchParams({ approval: id, t: token, to: folder })
  const words = why === 'sign-in' ? 'Sign in' : 'Sign in as the person this was sent to'
  return notice(why, [], `<p><a class="yes button" href="${escapeMarkup(`${SIGN_IN}?${query}`)}">${words}</a></p>`)
}

/** `/sign-in` and `/sign-in/callback`; null for any other path. They write nothing but a cookie in the visitor's own browser. */
export async function signInResponse(deps: SignInDeps, http: HttpRequest): Promise<HttpResponse | null> {
  if (http.path === SIGN_IN) return start(deps, http)
  if (http.path === CALLBACK) return finish(deps, http)
  return null
}

async function start(deps: SignInDeps, http: HttpRequest): Promise<HttpResponse> {
  const { approval = '', t = '', to } = http.query
  if (deps.signIn === null) return notice('not-found')
  const folder: Folder = to === 'passkeys' || to === 'waivers' || to === 'plans' ? to : 'approvals'
  const shut = await whyShut(deps, folder, approval, t)
  if (shut !== null) return shut
  const asked = {
    state: deps.ids.next('s'),
    nonce: deps.ids.next('n'),
    verifier: `${deps.ids.next('v')}${deps.ids.next('v')}`,
  }
  const until = new Date(deps.clock.now().getTime() + SIGN_IN_SECONDS * 1000).toISOString()
  const pending = pendingSignIn.parse({ approval_id: approval, link_token: t, folder, ...asked, until })
  const location = await deps.signIn.start({ redirectUri: `${deps.publicUrl}${CALLBACK}`, ...asked })
  return redirect(location, await cookie(deps.macMakers.page, 'sign-in', pending, SIGN_IN_SECONDS, https(deps)))
}

/** The notice for a link that leads nowhere; null for one that opens its page. */
async function whyShut(deps: SignInDeps, folder: Folder, id: string, token: string): Promise<HttpResponse | null> {
  if (folder === 'waivers' || folder === 'plans') {
    const plan = await planOpening(deps, folder, id, token)
    return plan.open ? null : notice(plan.why, plan.details)
  }
  const opened = await opening(deps, id, token, folder)
  return opened.open || opened.withdrawable !== undefined ? null : notice(opened.why, opened.details)
}

async function finish(deps: SignInDeps, http: HttpRequest): Promise<HttpResponse> {
  const pending = await readCookie(deps.macCheckers.page, 'sign-in', http.headers.cookie, pendingSignIn, deps.clock.now())
  if (deps.signIn === null || pending === null) return notice('sign-in-failed')
  const url = new URL(`${CALLBACK}?${new URLSearchParams(http.query)}`, deps.publicUrl).href
  let person: Person
  try {
    person = await deps.signIn.finish({ url, state: pending.state, nonce: pending.nonce, verifier: pending.verifier })
  } catch (error) {
    if (!isWaybillError(error)) throw error
    deps.log.warn('a sign-in was refused', { approval_id: pending.approval_id, error: error.code })
    return notice('sign-in-failed')
  }
  const until = new Date(deps.clock.now().getTime() + SESSION_SECONDS * 1000).toISOString()
  const back = `${deps.publicUrl}/${pending.folder}/${pending.approval_id}?${new URLSearchParams({ t: pending.link_token })}`
  const signedIn = session.parse({ ...person, until })
  return redirect(back, await cookie(deps.macMakers.page, 'session', signedIn, SESSION_SECONDS, https(deps)))
}

const https = (deps: Pick<Ports, 'publicUrl'>) => deps.publicUrl.startsWith('https:')

function redirect(location: string, setCookie: string): HttpResponse {
  return { status: 303, headers: { ...PAGE_HEADERS, location, 'set-cookie': setCookie }, body: '' }
}
