import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { takeUp } from '../../cli/run/project.ts'
import { openShop, PROJECT, type Shop } from '../attacks/support/shop.ts'
import { PEOPLE } from '../functions/support/story.ts'

let shop: Shop
beforeEach(async () => {
  shop = await openShop()
})
afterEach(() => shop.close())

describe('what ended without telling the project', () => {
  it('is redriven where it stood, under its own name, and asks again', async () => {
    for (const person of Object.values(PEOPLE)) shop.held.add(person)
    const { runner } = shop.platform
    const execution = `${PROJECT}-1`
    const standsIn = () => runner.describe(execution).standing.map(({ state }) => state)
    await shop.start()
    await expect.poll(standsIn, { timeout: 50_000 }).toEqual(['RequestApprovalForPlan'])
    await runner.stop(execution, 'Stopped', 'by hand')
    expect(await takeUp(shop.platform, 'another')).toEqual([])
    expect(await takeUp(shop.platform)).toEqual([{ projectId: PROJECT, execution }])
    expect(runner.describe(execution)).toMatchObject({ status: 'RUNNING', failure: null })
    await expect.poll(standsIn, { timeout: 50_000 }).toEqual(['RequestApprovalForPlan'])
    await runner.stop(execution, 'Stopped', 'by hand')
  }, 120_000)
})
