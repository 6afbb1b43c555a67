import { WaybillError } from '../../layers/core/errors.ts'
import type { SignIn } from '../../layers/core/ports.ts'

type Library = typeof import('openid-client')
type Configuration = Awaited<ReturnType<Library['discovery']>>

/**
 * Signs people in at any OpenID provider. Null where no provider is configured.
 * @throws BAD_INPUT when only half of it is configured, or the issuer is no https address (plain http is for this very machine)
 */
export function openIdSignIn(config: {
  issuer: string | undefined
  clientId: string | undefined
  clientSecret: string | undefined
}): SignIn {
  const { issuer, clientId, clientSecret } = config
  if (!issuer && !clientId) return null
  const url = issuer ? URL.parse(issuer) : null
  const local = url?.protocol === 'http:' && (url.hostname === '127.0.0.1' || url.hostname === 'localhost')
  if (url === null || !clientId || (url.protocol !== 'https:' && !local)) {
    throw new WaybillError('BAD_INPUT', 'For signing in, set both WAYBILL_OIDC_ISSUER (an https address) and WAYBILL_OIDC_CLIENT_ID.')
  }

  // Loaded and discovered at the first sign-in: most functions never need it, and a provider that was away is asked again.
  let ready: Promise<{ library: Library; configuration: Configuration }> | undefined
  const configured = () => {
    ready ??= (async () => {
      const library = await import('openid-client')
      const options = { timeout: 10, ...(local ? { execute: [library.allowInsecureRequests] } : {}) }
      const configuration = await library.discovery(url, clientId, clientSecret, clientSecret ? undefined : library.None(), options)
      return { library, configuration }
    })()
    return ready.catch((cause: unknown) => {
      ready = undefined
      throw new WaybillError('CONNECTION_FAILED', 'The identity provider does not answer as one. Try again in a few minutes.', { cause })
    })
  }

  return {
    async start({ redirectUri, state, nonce, verifier }) {
      const { library, configuration } = await configured()
      const challenge = await library.calculatePKCECodeChallenge(verifier)
      return library.buildAuthorizationUrl(configuration, {
        redirect_uri: redirectUri,
        scope: 'openid email',
        state,
        nonce,
        code_challenge: challenge,
        code_challenge_method: 'S256',
      }).href
    },

    async finish({ url: returned, state, nonce, verifier }) {
      const { library, configuration } = await configured()
      try {
        const tokens = await library.authorizationCodeGrant(configuration, new URL(returned), {
          expectedState: state,
          expectedNonce: nonce,
          pkceCodeVerifier: verifier,
          idTokenExpected: true,
        })
        const claims = tokens.claims()
        if (claims === undefined) throw new Error('no identity in the answer')
        // Many providers give the address at the userinfo endpoint only.
        const more = claims.email === undefined ? await library.fetchUserInfo(configuration, tokens.access_token, claims.sub) : claims
        const verified = more.email_verified === true && typeof more.email === 'string'
        return { issuer: claims.iss, subject: claims.sub, email: verified ? String(more.email) : null }
      } catch (cause) {
        throw new WaybillError('PERMISSION_DENIED', 'The sign-in does not agree with what was asked for.', { cause })
      }
    },
  }
}
