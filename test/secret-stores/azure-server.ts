import { type Answered, type Asked, type StoreServer, storeServer } from './store-server.ts'

export const URL_IN_AZURE = 'postgres://reader:canary-in-azure@db/legacy'
export const OLDER = 'postgres://reader:canary-older@db/legacy'
export const CLIENT = { tenant: '11111111-2222-3333-4444-555555555555', id: 'client-1', secret: 'client-canary-secret' }
export const VERSIONS = { current: 'a'.repeat(32), older: 'b'.repeat(32) }
const TOKEN = 'eyJ.canary-token.x'
const IDENTITY_HEADER = 'identity-canary-header'
export const APP_SERVICE = { IDENTITY_HEADER }

/** Key Vault, Entra's token endpoint and both managed-identity endpoints, answering in their documented forms. */
export function azureServer(): Promise<StoreServer> {
  return storeServer(URL_IN_AZURE, answer)
}

const refused = (status: number, code: string, innererror?: string): Answered => ({
  status,
  json: { error: { code, message: `The user cannot do this: ${TOKEN}`, ...(innererror ? { innererror: { code: innererror } } : {}) } },
})
const token = (): Answered => ({ status: 200, json: { token_type: 'Bearer', expires_in: 3599, access_token: TOKEN } })

function answer(asked: Asked): Answered {
  const { method, path, query, headers, body } = asked
  const tenant = /^\/([^/]+)\/oauth2\/v2\.0\/token$/.exec(path)?.[1]
  if (method === 'POST' && tenant !== undefined) {
    const form = Object.fromEntries(new URLSearchParams(body))
    const right = {
      grant_type: 'client_credentials',
      client_id: CLIENT.id,
      client_secret: CLIENT.secret,
      scope: 'https://vault.azure.net/.default',
    }
    if (tenant !== CLIENT.tenant) return { status: 400, json: { error: 'invalid_request', error_description: `AADSTS90002 ${body}` } }
    if (JSON.stringify(form) !== JSON.stringify(right))
      return { status: 401, json: { error: 'invalid_client', error_description: `AADSTS7000215 ${body}` } }
    return token()
  }
  if (path === '/metadata/identity/oauth2/token') {
    if (headers.metadata !== 'true') return { status: 400, json: { error: 'bad_request_102' } }
    return query.get('resource') === 'https://vault.azure.net' && query.get('api-version') === '2018-02-01'
      ? token()
      : { status: 400, json: { error: 'invalid_resource' } }
  }
  if (path === '/msi/token')
    return headers['x-identity-header'] === IDENTITY_HEADER && query.get('api-version') === '2019-08-01'
      ? token()
      : { status: 403, json: {} }
  const [, vault, name, version] = /^\/vaults\/([^/]+)\/secrets\/([^/]+)(?:\/([^/]+))?$/.exec(path) ?? []
  if (vault === undefined || query.get('api-version') !== '7.4') return { status: 404, json: undefined }
  if (headers.authorization !== `Bearer ${TOKEN}`) return refused(401, 'Unauthorized')
  if (vault === 'other-team') return refused(403, 'Forbidden', 'ForbiddenByRbac')
  if (name === 'switched-off') return refused(403, 'Forbidden', 'SecretDisabled')
  if (name === 'blank') return { status: 200, json: { value: '', id: 'x', attributes: { enabled: true } } }
  if (name !== 'legacy-db') return refused(404, 'SecretNotFound')
  if (version !== undefined && version !== VERSIONS.older && version !== VERSIONS.current) return refused(404, 'SecretNotFound')
  const value = version === VERSIONS.older ? OLDER : URL_IN_AZURE
  return { status: 200, json: { value, id: `https://v/secrets/${name}/${VERSIONS.current}`, attributes: { enabled: true } } }
}
