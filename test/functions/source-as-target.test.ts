import { afterEach, beforeEach, expect, it } from 'vitest'
import { type TestPlatform, testPlatform } from './support/platform.ts'
import { storeSpec, tell } from './support/story.ts'

let on: TestPlatform
beforeEach(async () => {
  on = await testPlatform()
})
afterEach(() => on.close())

async function failureWhere(target: { schema: string; name: string }): Promise<string> {
  const [source, other] = [on.systems.identities.source, on.systems.identities.target]
  Object.assign(other, { ...source, server: '10.0.0.7:6432' })
  const { connectors } = on.systems
  const open = connectors.source
  connectors.source = async (...asked) => ({ ...(await open(...asked)), running: async () => '2026-03-01 10:00:00.000001 false' })
  const { project } = await tell(on, await storeSpec(on, { target }), () => ({ decision: 'reject', reason: 'only planning is wanted' }))
  return `${project?.failure?.code} ${project?.failure?.reason}`
}

it('a table is not migrated into itself by two addresses of one database, and nobody is told to drop it', async () => {
  expect(await failureWhere({ schema: 'public', name: 'items' })).toMatch(
    /^SPEC_INVALID .*one and the same database, and public\.items would be migrated into itself.*Drop nothing/,
  )
})

it('into another table of that database it may be', async () => {
  expect(await failureWhere({ schema: 'copy', name: 'items' })).not.toContain('itself')
})
