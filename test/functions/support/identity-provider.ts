import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import Provider from 'oidc-provider'

export type IdentityProvider = { issuer: string; clientId: string; close(): Promise<void> }

/**
 * A real OpenID provider on this machine, with PKCE required. Whoever is asked to sign in types an account; its address is
 * `<account>`, verified unless the account starts with `unverified.`.
 */
export async function identityProvider(redirectUri: () => string): Promise<IdentityProvider> {
  let handle: (
    request: Parameters<ReturnType<Provider['callback']>>[0],
    response: Parameters<ReturnType<Provider['callback']>>[1],
  ) => unknown = () => {}
  const server = createServer((request, response) => void handle(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: 'waybill',
        redirect_uris: [redirectUri()],
        token_endpoint_auth_method: 'none',
        grant_types: ['authorization_code'],
        response_types: ['code'],
      },
    ],
    claims: { email: ['email', 'email_verified'] },
    conformIdTokenClaims: false,
    pkce: { required: () => true },
    cookies: { keys: ['only for tests'] },
    findAccount: (_context, account) => ({
      accountId: account,
      claims: async () => ({
        sub: account,
        email: account.replace('unverified.', ''),
        email_verified: !account.startsWith('unverified.'),
      }),
    }),
  })
  handle = provider.callback()
  return {
    issuer,
    clientId: 'waybill',
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** A browser's cookies, by host, without a browser. */
export class Jar {
  private readonly cookies = new Map<string, Map<string, string>>()

  header(url: URL): string {
    return [...(this.cookies.get(url.host) ?? [])].map(([name, value]) => `${name}=${value}`).join('; ')
  }

  take(url: URL, response: Response): void {
    const jar = this.cookies.get(url.host) ?? new Map<string, string>()
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      if (value === '') jar.delete(name)
      else jar.set(name, value)
    }
    this.cookies.set(url.host, jar)
  }

  async fetch(to: URL, options: RequestInit = {}): Promise<Response> {
    const response = await fetch(to, {
      ...options,
      redirect: 'manual',
      headers: { ...(options.headers as Record<string, string>), cookie: this.header(to) },
    })
    this.take(to, response)
    return response
  }

  /** Follows redirects as a browser does; `stopAt` stops before a request to that path. */
  async follow(to: URL, stopAt: (url: URL) => boolean = () => false): Promise<{ url: URL; response: Response | null }> {
    let url = to
    for (let hops = 0; hops < 15; hops++) {
      if (stopAt(url)) return { url, response: null }
      const response = await this.fetch(url)
      const location = response.headers.get('location')
      if (location === null) return { url, response }
      url = new URL(location, url)
    }
    throw new Error('too many redirects')
  }
}

/** Signs in with the provider's own forms, and comes back to where the sign-in began. */
export async function signIn(
  jar: Jar,
  from: URL,
  account: string,
  stopAt?: (url: URL) => boolean,
): Promise<{ url: URL; response: Response | null }> {
  let { url, response } = await jar.follow(from, stopAt)
  for (let forms = 0; forms < 3 && response !== null; forms++) {
    const page = await response.clone().text()
    const action = /<form[^>]*action="([^"]+)"/.exec(page)?.[1]
    if (!url.pathname.startsWith('/interaction/') || action === undefined) break
    const prompt = /name="prompt" value="([^"]+)"/.exec(page)![1]!
    const body = new URLSearchParams({ prompt, ...(prompt === 'login' ? { login: account, password: 'any' } : {}) })
    const sent = await jar.fetch(new URL(action, url), {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body,
    })
    ;({ url, response } = await jar.follow(new URL(sent.headers.get('location')!, url), stopAt))
  }
  return { url, response }
}
