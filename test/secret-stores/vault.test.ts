import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { vaultSecrets } from '../../layers/secret-stores/vault.ts'
import { refusal } from '../contracts/samples.ts'
import { secretStoreContract } from '../contracts/secret-store.ts'
import { certified } from './certificate.ts'
import { ROLE, TOKENS, URL_IN_VAULT, type VaultServer, vaultServer } from './vault-server.ts'

const patience = (pauses: number[]) => ({ pause: async (milliseconds: number) => void pauses.push(milliseconds), timeoutMs: 1500 })

const REFUSED = [
  'vault://secret',
  'vault://',
  'vault:///db/main#url',
  'vault://secret/../sys/seal#x',
  'vault://secret/./db#url',
  'vault://secret//db#url',
  'vault://secret/db?version=1#url',
  'vault://secret/%2e%2e/db#url',
  'vault://secret/db main#url',
  'vault://secret/db#url#more',
  'env://VAULT_TOKEN',
  '',
]
const CANARIES = ['canary', 'not for the limited']

secretStoreContract('Vault, by token', async () => {
  const server = await vaultServer()
  const pauses: number[] = []
  return {
    server,
    pauses,
    secrets: vaultSecrets({ env: { VAULT_ADDR: server.url, VAULT_TOKEN: TOKENS.root }, patience: patience(pauses) }),
    known: [
      ['vault://secret/db/main#url', URL_IN_VAULT],
      ['vault://kv1/db/main#url', URL_IN_VAULT],
      ['vault://kv1/db/main', URL_IN_VAULT],
      ['vault://team/kv/only', URL_IN_VAULT],
    ],
    absent: [
      'vault://secret/none#url',
      'vault://kv1/none#url',
      'vault://secret/db/gone#url',
      'vault://secret/db/ashes#url',
      'vault://secret/db/main#other',
      'vault://secret/db/main#port',
      'vault://secret/db/main#toString',
    ],
    denied: ['vault://nowhere/x#url'],
    refused: REFUSED,
    canaries: CANARIES,
  }
})

secretStoreContract('Vault, by AppRole', async () => {
  const server = await vaultServer()
  const pauses: number[] = []
  const env = { VAULT_ADDR: `${server.url}/`, VAULT_ROLE_ID: ROLE.role_id, VAULT_SECRET_ID: ROLE.secret_id }
  return {
    server,
    pauses,
    secrets: vaultSecrets({ env, patience: patience(pauses) }),
    known: [['vault://secret/db/main#url', URL_IN_VAULT]],
    absent: ['vault://secret/db/none#url'],
    denied: ['vault://secret/other#url', 'vault://kv1/db/main#url'],
    refused: REFUSED,
    canaries: CANARIES,
  }
})

describe('Vault', () => {
  let server: VaultServer
  beforeAll(async () => {
    server = await vaultServer()
  })
  afterAll(() => server.close())
  const by = (env: Record<string, string>) => vaultSecrets({ env: { VAULT_ADDR: server.url, ...env }, patience: patience([]) })
  const REF = 'vault://secret/db/main#url'

  it('says that it is sealed, without asking again', async () => {
    server.sealed = true
    const before = server.asked.length
    await expect(by({ VAULT_TOKEN: TOKENS.root }).resolve(REF)).rejects.toThrow(/sealed/)
    expect(server.asked.length).toBe(before + 1)
    await expect(by({ VAULT_ROLE_ID: 'r', VAULT_SECRET_ID: 's' }).resolve(REF)).rejects.toThrow(/sealed/)
    server.sealed = false
  })

  it('says where it was led, and does not go there', async () => {
    server.fault = 'elsewhere'
    const before = server.asked.length
    await expect(by({ VAULT_TOKEN: TOKENS.root }).resolve(REF)).rejects.toThrow('leads elsewhere (HTTP 307), where no token is sent')
    expect(server.asked.length).toBe(before + 1)
    server.fault = null
  })

  it('tells a deleted secret from a destroyed one', async () => {
    const secrets = by({ VAULT_TOKEN: TOKENS.root })
    await expect(secrets.resolve('vault://secret/db/gone#url')).rejects.toThrow(/was deleted/)
    await expect(secrets.resolve('vault://secret/db/ashes#url')).rejects.toThrow(/was destroyed/)
  })

  it('asks which field is meant where there are several, and names none of them', async () => {
    const refused = by({ VAULT_TOKEN: TOKENS.root }).resolve('vault://secret/db/main')
    await expect(refused).rejects.toMatchObject({ code: 'BAD_INPUT' })
    await expect(refused).rejects.toThrow('has 2 fields. Say which one: vault://secret/db/main#field')
  })

  it('reads key/value stores only', async () => {
    expect(await refusal(by({ VAULT_TOKEN: TOKENS.root }).resolve('vault://database/creds/reader#username'))).toBe('BAD_INPUT')
  })

  it('says who it needs to be, and refuses a wrong role', async () => {
    expect(await refusal(by({}).resolve(REF))).toBe('PERMISSION_DENIED')
    expect(await refusal(by({ VAULT_TOKEN: 's.expired' }).resolve(REF))).toBe('PERMISSION_DENIED')
    expect(await refusal(by({ VAULT_ROLE_ID: ROLE.role_id, VAULT_SECRET_ID: 'wrong' }).resolve(REF))).toBe('PERMISSION_DENIED')
    expect(await refusal(by({ VAULT_ROLE_ID: 'r', VAULT_SECRET_ID: 's', VAULT_APPROLE_PATH: '../sys' }).resolve(REF))).toBe('BAD_INPUT')
  })

  it('sends the namespace, and its token in no address', async () => {
    await by({ VAULT_TOKEN: TOKENS.root, VAULT_NAMESPACE: 'team-a' }).resolve(REF)
    const [preflight, read] = server.asked.slice(-2)
    expect([preflight?.path, read?.path]).toEqual(['/v1/sys/internal/ui/mounts/secret/db/main', '/v1/secret/data/db/main'])
    for (const asked of [preflight, read]) {
      expect(asked?.headers).toMatchObject({ 'x-vault-namespace': 'team-a', 'x-vault-token': TOKENS.root, 'x-vault-request': 'true' })
      expect([...(asked?.query ?? [])]).toEqual([])
    }
  })

  it('is asked in the clear on this machine only', async () => {
    for (const address of [
      'http://vault.example.org:8200',
      'http://10.0.0.1',
      'http://127.0.0.1.example.org',
      'ftp://127.0.0.1',
      'http://[::2]',
    ])
      expect(await refusal(vaultSecrets({ env: { VAULT_ADDR: address, VAULT_TOKEN: 't' } }).resolve(REF)), address).toBe(
        'PERMISSION_DENIED',
      )
    for (const env of [{}, { VAULT_ADDR: 'vault:8200/%%' }, { VAULT_ADDR: 'http://u:p@127.0.0.1' }] as Record<string, string>[])
      expect(await refusal(vaultSecrets({ env: { ...env, VAULT_TOKEN: 't' } }).resolve(REF))).toMatch(/BAD_INPUT|PERMISSION_DENIED/)
  })
})

describe('Vault over TLS', () => {
  const folder = mkdtempSync(join(tmpdir(), 'waybill-vault-'))
  const { key, cert } = certified('localhost')
  const tls = createServer({ key, cert }, (request, response) => {
    const mount = request.url?.includes('/sys/internal/ui/mounts/')
    response.end(
      JSON.stringify(mount ? { data: { path: 'secret/', type: 'kv', options: { version: '1' } } } : { data: { url: URL_IN_VAULT } }),
    )
  })
  beforeAll(() => new Promise<void>((resolve) => tls.listen(0, '127.0.0.1', resolve)))
  afterAll(async () => {
    tls.closeAllConnections()
    await new Promise((resolve) => tls.close(resolve))
    rmSync(folder, { recursive: true })
  })
  const from = (more: Record<string, string>) =>
    vaultSecrets({ env: { VAULT_ADDR: `https://localhost:${(tls.address() as AddressInfo).port}`, VAULT_TOKEN: 't', ...more } })

  it('trusts the authority in VAULT_CACERT and no other', async () => {
    writeFileSync(join(folder, 'ca.pem'), cert)
    expect(await from({ VAULT_CACERT: join(folder, 'ca.pem') }).resolve('vault://secret/x#url')).toBe(URL_IN_VAULT)
    expect(await refusal(from({}).resolve('vault://secret/x#url'))).toBe('CONNECTION_FAILED')
    expect(await refusal(from({ VAULT_CACERT: join(folder, 'none.pem') }).resolve('vault://secret/x#url'))).toBe('NOT_FOUND')
  })
})
