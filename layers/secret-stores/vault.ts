import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { WaybillError } from '../core/errors.ts'
import type { Secrets } from '../core/ports.ts'
import { type Answer, ask, PATIENCE, type Patience, safePlace, unexpected } from './exchange.ts'

type Env = Readonly<Record<string, string | undefined>>

const STORE = 'Vault'
const REF = /^vault:\/\/([^\s#?]+?)(?:#([^\s#]+))?$/
/** No empty part, no `.` or `..`, nothing a URL would read as something else. */
const PATH = /^(?!.*(?:^|\/)\.{1,2}(?:\/|$))[A-Za-z0-9_.@=+~-]+(\/[A-Za-z0-9_.@=+~-]+)+$/

const mount = z.object({
  data: z.object({ path: z.string(), type: z.string(), options: z.object({ version: z.string().optional() }).nullish() }),
})
const login = z.object({ auth: z.object({ client_token: z.string().min(1) }) })
const fields = z.record(z.string(), z.unknown())
const versionOne = z.object({ data: fields })
const versionTwo = z.object({ data: z.object({ data: fields }) })

/**
 * `vault://mount/path#field` from a key/value store of version 1 or 2; `#field` may be left out where the secret has one field. Reads
 * VAULT_ADDR, VAULT_NAMESPACE, VAULT_CACERT, and VAULT_TOKEN or VAULT_ROLE_ID with VAULT_SECRET_ID (AppRole, mounted at VAULT_APPROLE_PATH
 * or `approle`). Asks anew for every secret and keeps nothing.
 */
export function vaultSecrets({ env, patience = PATIENCE }: { env: Env; patience?: Patience }): Secrets {
  return {
    async resolve(secretRef) {
      const { path, field } = place(secretRef)
      const get = await opened(env, patience)
      const found = await mountOf(get, path)
      const rest = `${path}/`.slice(found.path.length, -1)
      const answer = await get(found.versioned ? `${found.path}data/${rest}` : `${found.path}${rest}`)
      if (answer.status === 404) throw absent(path, answer)
      refusedOrSealed(answer, `reading ${path}`)
      const values = found.versioned ? versionTwo.safeParse(answer.json).data?.data.data : versionOne.safeParse(answer.json).data?.data
      if (values === undefined) throw unexpected(STORE, answer.status)
      return textOf(values, path, field)
    },
  }
}

function place(secretRef: string): { path: string; field: string | undefined } {
  const [, path = '', field] = REF.exec(secretRef) ?? []
  if (!PATH.test(path))
    throw new WaybillError(
      'BAD_INPUT',
      'A secret in Vault is written vault://mount/path#field; letters, digits and _ . @ = + ~ - in each part.',
    )
  return { path, field }
}

type Get = (path: string) => Promise<Answer>

async function opened(env: Env, patience: Patience): Promise<Get> {
  const address = env.VAULT_ADDR ?? ''
  if (!URL.canParse(address))
    throw new WaybillError('BAD_INPUT', 'Set VAULT_ADDR to the address of Vault, such as https://vault.example.org:8200.')
  const base = safePlace(STORE, new URL(address))
  const ca = env.VAULT_CACERT ? await authorities(env.VAULT_CACERT) : undefined
  const namespace = env.VAULT_NAMESPACE ? { 'x-vault-namespace': env.VAULT_NAMESPACE } : {}
  const at = (path: string) => new URL(`${base.pathname.replace(/\/+$/, '')}/v1/${path}`, base)
  const headers = { 'x-vault-request': 'true', ...namespace }
  const sealed = (answer: Answer) => isSealed(answer)
  const token =
    env.VAULT_TOKEN ||
    (await loggedIn(env, (path, body) =>
      ask(
        STORE,
        { method: 'POST', url: at(path), headers: { ...headers, 'content-type': 'application/json' }, body, ca },
        patience,
        sealed,
      ),
    ))
  return (path) => ask(STORE, { method: 'GET', url: at(path), headers: { ...headers, 'x-vault-token': token }, ca }, patience, sealed)
}

async function loggedIn(env: Env, post: (path: string, body: string) => Promise<Answer>): Promise<string> {
  const { VAULT_ROLE_ID: role, VAULT_SECRET_ID: secret } = env
  if (!role || !secret)
    throw new WaybillError('PERMISSION_DENIED', 'Set VAULT_TOKEN, or VAULT_ROLE_ID and VAULT_SECRET_ID, so that Vault knows who asks.')
  const where = env.VAULT_APPROLE_PATH || 'approle'
  if (!/^[A-Za-z0-9_-]+(\/[A-Za-z0-9_-]+)*$/.test(where))
    throw new WaybillError('BAD_INPUT', 'VAULT_APPROLE_PATH is the path AppRole is mounted at, such as approle.')
  const answer = await post(`auth/${where}/login`, JSON.stringify({ role_id: role, secret_id: secret }))
  if (answer.status === 400)
    throw new WaybillError('PERMISSION_DENIED', 'Vault knows no such role and secret id. Check VAULT_ROLE_ID and VAULT_SECRET_ID.')
  refusedOrSealed(answer, 'signing in by AppRole')
  const parsed = login.safeParse(answer.json)
  if (!parsed.success) throw unexpected(STORE, answer.status)
  return parsed.data.auth.client_token
}

/** Where the path's store is mounted, and whether it keeps versions: what Vault's own command asks first, and anybody may who may read the path. */
async function mountOf(get: Get, path: string): Promise<{ path: string; versioned: boolean }> {
  const answer = await get(`sys/internal/ui/mounts/${path}`)
  refusedOrSealed(answer, `looking for ${path}, or there is no such store`)
  const parsed = mount.safeParse(answer.json)
  if (!parsed.success || !/^[^/].*\/$/.test(parsed.data.data.path) || !`${path}/`.startsWith(parsed.data.data.path))
    throw unexpected(STORE, answer.status)
  const { type, options, path: mounted } = parsed.data.data
  if (type !== 'kv' && type !== 'generic')
    throw new WaybillError('BAD_INPUT', `vault://${path} does not lie in a key/value store. Keep the connection string in one.`)
  return { path: mounted, versioned: options?.version === '2' }
}

/** A deleted version answers with its history, a path that never was with nothing. */
function absent(path: string, { json }: Answer): WaybillError {
  const past = z.object({ data: z.object({ metadata: z.object({ destroyed: z.boolean() }) }) }).safeParse(json)
  const why = !past.success
    ? 'Vault holds no secret'
    : past.data.data.metadata.destroyed
      ? 'The secret was destroyed'
      : 'The secret was deleted'
  return new WaybillError('NOT_FOUND', `${why} at ${path}. Write it there, or correct the secret_ref.`)
}

function refusedOrSealed(answer: Answer, doing: string): void {
  if (answer.status === 200) return
  if (isSealed(answer)) throw new WaybillError('CONNECTION_FAILED', 'Vault is sealed. Have it unsealed, then try again.')
  if (answer.status === 401 || answer.status === 403)
    throw new WaybillError('PERMISSION_DENIED', `Vault refused ${doing}. Check that the token is valid and its policy grants read.`)
  throw unexpected(STORE, answer.status)
}

function isSealed({ status, json }: Answer): boolean {
  const errors = z.object({ errors: z.array(z.string()) }).safeParse(json)
  return status === 503 && errors.success && errors.data.errors.some((error) => /\bsealed\b/i.test(error))
}

function textOf(values: Record<string, unknown>, path: string, field: string | undefined): string {
  const names = Object.keys(values)
  if (field === undefined && names.length !== 1)
    throw new WaybillError('BAD_INPUT', `The secret at ${path} has ${names.length} fields. Say which one: vault://${path}#field.`)
  const name = field ?? names[0]!
  const value = Object.hasOwn(values, name) ? values[name] : undefined
  if (typeof value === 'string' && value !== '') return value
  throw new WaybillError('NOT_FOUND', `The secret at ${path} holds no text in the field ${name}.`)
}

async function authorities(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch {
    throw new WaybillError('NOT_FOUND', `VAULT_CACERT names ${file}, which cannot be read.`)
  }
}
