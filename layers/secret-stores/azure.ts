import { z } from 'zod'
import { WaybillError } from '../core/errors.ts'
import type { Secrets } from '../core/ports.ts'
import { type Answer, ask, type Exchange, PATIENCE, type Patience, safePlace, unexpected } from './exchange.ts'

type Env = Readonly<Record<string, string | undefined>>

const STORE = 'Azure Key Vault'
const SIGN_IN = 'Microsoft Entra'
const REF = /^azure-(?:kv|keyvault):\/\/([A-Za-z][A-Za-z0-9-]{1,22}[A-Za-z0-9])\/([A-Za-z0-9-]{1,127})(?:\/([0-9a-f]{32}))?$/
const API = '7.4'
/** The address every machine in Azure asks for its own identity; it leads nowhere else. */
const METADATA_HOST = 'http://169.254.169.254'

const bundle = z.object({ value: z.string() })
const token = z.object({ access_token: z.string().min(1) })
const failure = z.object({ error: z.object({ code: z.string(), innererror: z.object({ code: z.string() }).nullish() }) })

/**
 * `azure-kv://vault/secret` or `azure-kv://vault/secret/version`. With AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET a client of Entra
 * asks (at AZURE_AUTHORITY_HOST); otherwise the managed identity of this machine (AZURE_CLIENT_ID says which, where there are several). Asks
 * anew for every secret and keeps nothing.
 * @param vaultUrl where a vault of that name answers: a spec names vaults, never hosts
 */
export function azureSecrets({
  env,
  patience = PATIENCE,
  vaultUrl = (vault) => `https://${vault}.${env.AZURE_KEYVAULT_DNS_SUFFIX || 'vault.azure.net'}`,
}: {
  env: Env
  patience?: Patience
  vaultUrl?: (vault: string) => string
}): Secrets {
  return {
    async resolve(secretRef) {
      const [, vault, name, version] = REF.exec(secretRef) ?? []
      if (vault === undefined || name === undefined)
        throw new WaybillError(
          'BAD_INPUT',
          'A secret in Azure Key Vault is written azure-kv://vault/secret or azure-kv://vault/secret/version.',
        )
      const base = safePlace(STORE, addressOf(vaultUrl(vault), 'AZURE_KEYVAULT_DNS_SUFFIX'))
      const bearer = await accessToken(env, patience)
      const url = new URL(
        `${base.pathname.replace(/\/+$/, '')}/secrets/${name}${version === undefined ? '' : `/${version}`}?api-version=${API}`,
        base,
      )
      const answer = await ask(STORE, { method: 'GET', url, headers: { authorization: `Bearer ${bearer}` } }, patience)
      if (answer.status !== 200) throw refusal(answer, vault, name)
      const parsed = bundle.safeParse(answer.json)
      if (!parsed.success) throw unexpected(STORE, answer.status)
      if (parsed.data.value === '') throw new WaybillError('NOT_FOUND', `The secret ${name} in the vault ${vault} is empty.`)
      return parsed.data.value
    },
  }
}

function refusal(answer: Answer, vault: string, name: string): WaybillError {
  const { error } = failure.safeParse(answer.json).data ?? {}
  if (answer.status === 404)
    return new WaybillError(
      'NOT_FOUND',
      `The vault ${vault} holds no secret ${name} of that version. Create it, or correct the secret_ref.`,
    )
  if (error?.innererror?.code === 'SecretDisabled')
    return new WaybillError(
      'PERMISSION_DENIED',
      `The secret ${name} in the vault ${vault} is disabled. Enable it, or name another version.`,
    )
  if (answer.status === 401 || answer.status === 403)
    return new WaybillError(
      'PERMISSION_DENIED',
      `The vault ${vault} refused to give ${name}. Grant the identity that asks "Key Vault Secrets User" there.`,
    )
  return unexpected(STORE, answer.status)
}

async function accessToken(env: Env, patience: Patience): Promise<string> {
  const suffix = env.AZURE_KEYVAULT_DNS_SUFFIX || 'vault.azure.net'
  const answer = await ask(SIGN_IN, env.AZURE_CLIENT_SECRET ? ofClient(env, suffix) : ofMachine(env, suffix), patience)
  if (answer.status === 400 || answer.status === 401 || answer.status === 403 || answer.status === 404) {
    const what = env.AZURE_CLIENT_SECRET
      ? 'Check AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET.'
      : 'Check that this machine has a managed identity, and AZURE_CLIENT_ID if it has several.'
    throw new WaybillError('PERMISSION_DENIED', `${SIGN_IN} gave no token (HTTP ${answer.status}). ${what}`)
  }
  const parsed = token.safeParse(answer.json)
  if (answer.status !== 200 || !parsed.success) throw unexpected(SIGN_IN, answer.status)
  return parsed.data.access_token
}

function ofClient(env: Env, suffix: string): Exchange {
  const { AZURE_TENANT_ID: tenant = '', AZURE_CLIENT_ID: client = '', AZURE_CLIENT_SECRET: secret = '' } = env
  if (!/^[A-Za-z0-9.-]{1,255}$/.test(tenant) || client === '')
    throw new WaybillError('BAD_INPUT', 'AZURE_CLIENT_SECRET is set; set AZURE_TENANT_ID and AZURE_CLIENT_ID too.')
  const base = safePlace(SIGN_IN, addressOf(env.AZURE_AUTHORITY_HOST || 'https://login.microsoftonline.com', 'AZURE_AUTHORITY_HOST'))
  const form = { grant_type: 'client_credentials', client_id: client, client_secret: secret, scope: `https://${suffix}/.default` }
  return {
    method: 'POST',
    url: new URL(`/${tenant}/oauth2/v2.0/token`, base),
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(form).toString(),
  }
}

/** By IDENTITY_ENDPOINT where the service sets it (App Service, Container Apps), by the machine's metadata address elsewhere. */
function ofMachine(env: Env, suffix: string): Exchange {
  const query = { resource: `https://${suffix}`, ...(env.AZURE_CLIENT_ID ? { client_id: env.AZURE_CLIENT_ID } : {}) }
  if (env.IDENTITY_ENDPOINT && env.IDENTITY_HEADER) {
    const url = safePlace(SIGN_IN, addressOf(env.IDENTITY_ENDPOINT, 'IDENTITY_ENDPOINT'))
    url.search = new URLSearchParams({ 'api-version': '2019-08-01', ...query }).toString()
    return { method: 'GET', url, headers: { 'x-identity-header': env.IDENTITY_HEADER } }
  }
  const host = addressOf(env.AZURE_POD_IDENTITY_AUTHORITY_HOST || METADATA_HOST, 'AZURE_POD_IDENTITY_AUTHORITY_HOST')
  const url = new URL('/metadata/identity/oauth2/token', host.origin === METADATA_HOST ? host : safePlace(SIGN_IN, host))
  url.search = new URLSearchParams({ 'api-version': '2018-02-01', ...query }).toString()
  return { method: 'GET', url, headers: { metadata: 'true' } }
}

function addressOf(text: string, variable: string): URL {
  if (!URL.canParse(text)) throw new WaybillError('BAD_INPUT', `${variable} does not lead to an address.`)
  return new URL(text)
}
