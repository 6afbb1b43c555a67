import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { azureSecrets } from '../../layers/secret-stores/azure.ts'
import { refusal } from '../contracts/samples.ts'
import { secretStoreContract } from '../contracts/secret-store.ts'
import { APP_SERVICE, azureServer, CLIENT, OLDER, URL_IN_AZURE, VERSIONS } from './azure-server.ts'
import type { StoreServer } from './store-server.ts'

const REFUSED = [
  'azure-kv://prod-vault',
  'azure-kv://prod-vault/',
  'azure-kv://prod-vault/legacy-db/latest',
  `azure-kv://prod-vault/legacy-db/${VERSIONS.older}/more`,
  'azure-kv://evil.example.org/legacy-db',
  'azure-kv://prod-vault/../keys/x',
  'azure-kv://prod-vault/legacy-db?api-version=1',
  'azure-kv://-v/legacy-db',
  'azure-kv://user@prod-vault/legacy-db',
  'vault://prod-vault/legacy-db',
  '',
]

const asking = (server: StoreServer, env: Record<string, string>, pauses: number[] = []) =>
  azureSecrets({
    env,
    patience: { pause: async (milliseconds) => void pauses.push(milliseconds), timeoutMs: 1500 },
    vaultUrl: (vault) => `${server.url}/vaults/${vault}`,
  })

const ofClient = (server: StoreServer) => ({
  AZURE_AUTHORITY_HOST: server.url,
  AZURE_TENANT_ID: CLIENT.tenant,
  AZURE_CLIENT_ID: CLIENT.id,
  AZURE_CLIENT_SECRET: CLIENT.secret,
})

for (const [who, env] of [
  ['as a client of Entra', ofClient],
  ['by the managed identity of a machine', (server: StoreServer) => ({ AZURE_POD_IDENTITY_AUTHORITY_HOST: server.url })],
  ['by the managed identity of a service', (server: StoreServer) => ({ IDENTITY_ENDPOINT: `${server.url}/msi/token`, ...APP_SERVICE })],
] as const) {
  secretStoreContract(`Azure Key Vault, ${who}`, async () => {
    const server = await azureServer()
    const pauses: number[] = []
    return {
      server,
      pauses,
      secrets: asking(server, env(server), pauses),
      known: [
        ['azure-kv://prod-vault/legacy-db', URL_IN_AZURE],
        ['azure-keyvault://prod-vault/legacy-db', URL_IN_AZURE],
        [`azure-kv://prod-vault/legacy-db/${VERSIONS.older}`, OLDER],
      ],
      absent: ['azure-kv://prod-vault/none', 'azure-kv://prod-vault/blank', `azure-kv://prod-vault/legacy-db/${'c'.repeat(32)}`],
      denied: ['azure-kv://other-team/legacy-db', 'azure-kv://prod-vault/switched-off'],
      refused: REFUSED,
      canaries: ['canary'],
    }
  })
}

describe('Azure Key Vault', () => {
  let server: StoreServer
  beforeAll(async () => {
    server = await azureServer()
  })
  afterAll(() => server.close())
  const REF = 'azure-kv://prod-vault/legacy-db'

  it('says what is wrong with whoever asks, and repeats nothing of it', async () => {
    const wrong = [{ AZURE_CLIENT_SECRET: 'wrong-canary' }, { AZURE_TENANT_ID: 'elsewhere' }] as Record<string, string>[]
    for (const change of wrong) {
      const promise = asking(server, { ...ofClient(server), ...change }).resolve(REF)
      await expect(promise).rejects.toMatchObject({ code: 'PERMISSION_DENIED' })
      await expect(promise).rejects.not.toThrow(/canary|AADSTS/)
    }
    expect(await refusal(asking(server, { AZURE_CLIENT_SECRET: 'x' }).resolve(REF))).toBe('BAD_INPUT')
    expect(await refusal(asking(server, { ...ofClient(server), AZURE_TENANT_ID: 'a/../b' }).resolve(REF))).toBe('BAD_INPUT')
    expect(await refusal(asking(server, { IDENTITY_ENDPOINT: `${server.url}/msi/token`, IDENTITY_HEADER: 'no' }).resolve(REF))).toBe(
      'PERMISSION_DENIED',
    )
  })

  it('tells a disabled secret from a refusal', async () => {
    const secrets = asking(server, ofClient(server))
    await expect(secrets.resolve('azure-kv://prod-vault/switched-off')).rejects.toThrow(/is disabled/)
    await expect(secrets.resolve('azure-kv://other-team/legacy-db')).rejects.toThrow(/Key Vault Secrets User/)
  })

  it('is asked over https only, and so is whoever gives the token', async () => {
    const plain = azureSecrets({ env: ofClient(server), vaultUrl: () => 'http://vault.example.org' })
    expect(await refusal(plain.resolve(REF))).toBe('PERMISSION_DENIED')
    for (const variable of ['AZURE_AUTHORITY_HOST', 'IDENTITY_ENDPOINT', 'AZURE_POD_IDENTITY_AUTHORITY_HOST']) {
      const env = variable === 'AZURE_AUTHORITY_HOST' ? ofClient(server) : APP_SERVICE
      expect(await refusal(asking(server, { ...env, [variable]: 'http://login.example.org' }).resolve(REF)), variable).toBe(
        'PERMISSION_DENIED',
      )
    }
  })
})
