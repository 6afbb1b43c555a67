import { type Answered, type Asked, type StoreServer, storeServer } from './store-server.ts'

export const URL_IN_VAULT = 'postgres://reader:canary-in-vault@db/legacy'
export const ROLE = { role_id: 'role-canary-1', secret_id: 'secret-id-canary-2' }
export const TOKENS = { root: 's.token-canary-3', limited: 's.token-canary-4' }

type Held = { data: Record<string, unknown>; deleted?: 'deleted' | 'destroyed' }
const MOUNTS: Record<string, { version: string | null; type: string; held: Record<string, Held> }> = {
  'secret/': {
    version: '2',
    type: 'kv',
    held: {
      'db/main': { data: { url: URL_IN_VAULT, port: 5432 } },
      'db/gone': { data: {}, deleted: 'deleted' },
      'db/ashes': { data: {}, deleted: 'destroyed' },
      other: { data: { url: 'not for the limited' } },
    },
  },
  'team/kv/': { version: null, type: 'kv', held: { only: { data: { anything: URL_IN_VAULT } } } },
  'kv1/': { version: '1', type: 'kv', held: { 'db/main': { data: { url: URL_IN_VAULT } } } },
  'database/': { version: null, type: 'database', held: {} },
}

export type VaultServer = StoreServer & { sealed: boolean }

/** Answers as Vault's HTTP API does, its forms of error included (compared with OpenBao 2.7, which speaks the same). */
export async function vaultServer(): Promise<VaultServer> {
  const server = await storeServer(URL_IN_VAULT, (asked) => answer(asked, vault.sealed))
  const vault = Object.assign(server, { sealed: false })
  return vault
}

const errors = (status: number, ...said: string[]): Answered => ({ status, json: { errors: said } })
const ok = (data: unknown): Answered => ({
  status: 200,
  json: { request_id: 'r', lease_id: '', renewable: false, lease_duration: 0, data, auth: null },
})

function answer({ method, path, headers, body }: Asked, sealed: boolean): Answered {
  if (sealed) return errors(503, 'Vault is sealed')
  if (method === 'POST' && path === '/v1/auth/approle/login') {
    const said = JSON.parse(body) as typeof ROLE
    if (said.role_id !== ROLE.role_id || said.secret_id !== ROLE.secret_id) return errors(400, 'invalid role or secret ID')
    return { status: 200, json: { data: null, auth: { client_token: TOKENS.limited, lease_duration: 60, renewable: true } } }
  }
  const token = headers['x-vault-token']
  if (token !== TOKENS.root && token !== TOKENS.limited) return errors(403, 'permission denied')
  const limited = token === TOKENS.limited
  const preflight = /^\/v1\/sys\/internal\/ui\/mounts\/(.+)$/.exec(path)?.[1]
  const wanted = preflight ?? path.slice('/v1/'.length)
  const name = Object.keys(MOUNTS).find((mount) => wanted.startsWith(mount))
  const may = !limited || name === 'secret/'
  if (preflight !== undefined) {
    if (name === undefined || !may)
      return errors(403, `preflight capability check returned 403, please ensure client's policies grant access to path "${preflight}/"`)
    const { version, type } = MOUNTS[name]!
    return ok({ path: name, type, options: version === null ? null : { version }, accessor: 'kv_1', description: '' })
  }
  if (name === undefined) return errors(404, `no handler for route "${wanted}". route entry not found.`)
  const { version, held } = MOUNTS[name]!
  const rest = wanted.slice(name.length)
  if (version !== '2') return Object.hasOwn(held, rest) ? ok(held[rest]!.data) : errors(404)
  if (!rest.startsWith('data/'))
    return { status: 404, json: { data: null, warnings: ['Invalid path for a versioned K/V secrets engine.'] } }
  const at = rest.slice('data/'.length)
  if (limited && !at.startsWith('db/')) return errors(403, '1 error occurred:\n\t* permission denied\n\n')
  const found = Object.hasOwn(held, at) ? held[at]! : undefined
  if (found === undefined) return errors(404)
  const metadata = {
    created_time: '2026-01-01T00:00:00Z',
    deletion_time: found.deleted ? '2026-02-01T00:00:00Z' : '',
    destroyed: found.deleted === 'destroyed',
    version: 1,
  }
  if (found.deleted) return { ...ok({ data: null, metadata }), status: 404 }
  return ok({ data: found.data, metadata })
}
