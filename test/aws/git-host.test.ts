import { describe, expect, it } from 'vitest'
import { gitHubHost } from '../../layers/aws/git-host.ts'
import { gitHostContract } from '../contracts/git-host.ts'
import { refusal } from '../contracts/samples.ts'
import { gitHub as gitHubServer } from '../support/git-hub.ts'

async function gitHub() {
  const made = await gitHubServer('acme/data', 'good')
  const host = (token = 'good') => gitHubHost({ repository: 'acme/data', token: async () => token, fetch, api: made.api })
  return { ...made, host }
}

gitHostContract('GitHub', async () => {
  const made = await gitHub()
  return { ...made, host: made.host() }
})

describe('git host: GitHub', () => {
  const change = { branch: 'waybill/p1', base: 'main', title: 'T', body: 'B', files: [{ path: 'a.sql', content: 'select 1\n' }] }

  it('says that a token is refused, and never says the token', async () => {
    const made = await gitHub()
    const error = await made
      .host('stolen-token')
      .publish(change)
      .catch((caught: unknown) => caught)
    expect(error).toMatchObject({ code: 'PERMISSION_DENIED' })
    expect(JSON.stringify(error) + String(error)).not.toContain('stolen-token')
    await made.done()
  })

  it('says that the base branch is not there', async () => {
    const made = await gitHub()
    expect(await refusal(made.host().publish({ ...change, base: 'nowhere' }))).toBe('NOT_FOUND')
    await made.done()
  })

  it('says that the host cannot be reached', async () => {
    const made = await gitHub()
    await made.done()
    expect(await refusal(made.host().publish(change))).toBe('CONNECTION_FAILED')
  })

  it('opens one pull request for a branch and asks for no merge', async () => {
    const made = await gitHub()
    const first = await made.host().publish(change)
    const again = await made.host().publish({ ...change, files: [{ path: 'b.sql', content: '' }] })
    expect(again.pull_request).toBe(first.pull_request)
    expect(made.calls.filter((call) => call === 'POST pulls')).toHaveLength(1)
    expect(made.calls.filter((call) => /merge/i.test(call))).toEqual([])
    await made.done()
  })
})
