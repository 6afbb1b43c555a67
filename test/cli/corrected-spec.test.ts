import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { finished, startProject, takeUp } from '../../cli/run/project.ts'
import { printSummary } from '../../cli/run/summary.ts'
import { openTerminal } from '../../cli/terminal.ts'
import { specKey } from '../../layers/core/flow/numbered-spec.ts'
import { openShop, PROJECT, type Shop, shopSpec } from '../attacks/support/shop.ts'
import { PEOPLE } from '../functions/support/story.ts'

let shop: Shop
beforeEach(async () => {
  shop = await openShop()
})
afterEach(() => shop.close())

const MISSPELT = shopSpec.replace('public.item', 'public.itme')
const refusal = (says: RegExp) => expect.objectContaining({ code: 'ALREADY_EXISTS', message: expect.stringMatching(says) })
const run = async (text: string) => finished(shop.platform, await startProject(shop.platform, text))

/** What a person reads at the end of a run. */
async function summary(): Promise<string> {
  const lines: string[] = []
  const terminal = { ...openTerminal(), out: (text: string) => void lines.push(text), paint: (_: unknown, text: string) => text }
  const project = await shop.platform.ports.projects.get(PROJECT)
  printSummary(terminal, project, { plan: null, outcome: null, recon: null, checks: null, findings: [], newest: null })
  return lines.join('\n')
}

describe('a fault in the spec that is found after the start', () => {
  it('is corrected in the file, and run again under the same migration_id: to its proof', async () => {
    expect(await run(MISSPELT)).toMatchObject({ state: 'FAILED', failure: { code: 'NOT_FOUND' } })
    expect(await summary()).toMatch(/correct the spec and run it again under the same migration_id/)
    await expect(run(MISSPELT)).rejects.toEqual(
      refusal(/failed with this very spec\. Correct the spec and run it again, or .*waybill resume shop"/),
    )
    const unknown = MISSPELT.replace('source: { system_type: POSTGRESQL', 'source: { system_type: DB2')
    await expect(run(unknown)).rejects.toMatchObject({ code: 'SPEC_INVALID' })
    // Still not right: a second correction is a third spec.
    expect(await run(MISSPELT.replace('SHOP_TARGET', 'SHOP_TRAGET'))).toMatchObject({ state: 'FAILED' })

    const done = await run(shopSpec)
    expect([done.state, done.failure, done.plan_version]).toEqual(['EVIDENCE_COMPLETE', null, 1])
    const { artifacts } = shop.platform.ports
    const stored = await Promise.all(
      [1, 2, 3].map(async (number) => {
        const pointer = await artifacts.find(specKey(PROJECT, number))
        return { sha256: pointer!.sha256, text: Buffer.from(await artifacts.get(pointer!)).toString() }
      }),
    )
    expect([stored[0]!.text, stored[2]!.text, await artifacts.find(specKey(PROJECT, 4))]).toEqual([MISSPELT, shopSpec, null])
    expect((await shop.chain('SPEC_CORRECTED')).map(({ subject_sha256, details }) => [details.replaces_sha256, subject_sha256])).toEqual([
      [stored[0]!.sha256, stored[1]!.sha256],
      [stored[1]!.sha256, stored[2]!.sha256],
    ])
    await expect(run(MISSPELT)).rejects.toEqual(
      refusal(/This home has a project shop already; it has ended\. For another spec, choose another/),
    )
  }, 180_000)

  it('is not corrected behind a run that goes on, nor once a plan was signed', async () => {
    for (const person of [PEOPLE.tech_lead, PEOPLE.security]) shop.held.add(person)
    const { execution } = await startProject(shop.platform, shopSpec)
    const standsIn = () => shop.platform.runner.describe(execution).standing.map(({ state }) => state)
    await expect.poll(standsIn, { timeout: 50_000 }).toEqual(['RequestApprovalForPlan'])
    await expect(startProject(shop.platform, MISSPELT)).rejects.toEqual(refusal(/a project shop already, and it is running/))
    shop.held.delete(PEOPLE.tech_lead)
    await expect.poll(standsIn, { timeout: 50_000 }).toEqual(['RequestApprovalForExecution'])
    shop.before = async () => {
      throw new Error('no worker today')
    }
    shop.held.delete(PEOPLE.security)
    expect(await finished(shop.platform, { projectId: PROJECT, execution })).toMatchObject({ state: 'FAILED', plan_version: 1 })
    await expect(startProject(shop.platform, MISSPELT)).rejects.toEqual(
      refusal(/a plan of it was signed\. Go on with it: "waybill resume shop"/),
    )
    expect(await shop.platform.ports.artifacts.find(specKey(PROJECT, 2))).toBeNull()
  }, 180_000)

  it('is begun with the stored correction where a process died before it started it', async () => {
    for (const person of Object.values(PEOPLE)) shop.held.add(person)
    await run(MISSPELT)
    const put = { contentType: 'application/yaml', retainUntil: new Date() }
    await shop.platform.ports.artifacts.put(specKey(PROJECT, 2), Buffer.from(shopSpec), put)
    const { execution } = await startProject(shop.platform, shopSpec)
    expect(execution).toBe(`${PROJECT}-2`)
    const standsIn = () => shop.platform.runner.describe(execution).standing.map(({ state }) => state)
    await expect.poll(standsIn, { timeout: 50_000 }).toEqual(['RequestApprovalForPlan'])
    expect(await shop.platform.ports.artifacts.find(specKey(PROJECT, 3))).toBeNull()
    await shop.platform.runner.stop(execution, 'Stopped', 'by hand')
    expect(await takeUp(shop.platform, PROJECT)).toEqual([{ projectId: PROJECT, execution }])
    await shop.platform.runner.stop(execution, 'Stopped', 'by hand')
  }, 180_000)
})
