import { describe, expect, it } from 'vitest'
import type { Anchors, Clock, Ids, Keys, Secrets, TaskTokens } from '../../layers/core/ports.ts'
import { refusal } from './samples.ts'

export function idsContract(name: string, ids: Ids): void {
  describe(`ids: ${name}`, () => {
    it('are 26 characters of base 32 that never come twice', () => {
      const many = Array.from({ length: 2000 }, () => ids.next('run'))
      for (const id of many) expect(id).toMatch(/^run-[a-z2-7]{26}$/)
      expect(new Set(many).size).toBe(2000)
      const letters = new Set(many.flatMap((id) => [...id.slice(4)]))
      expect(letters.size).toBe(32)
    })
  })
}

export function clockContract(name: string, clock: Clock): void {
  describe(`clock: ${name}`, () => {
    it('gives instants that do not go back', () => {
      const [first, second] = [clock.now(), clock.now()]
      expect(first.toISOString()).toMatch(/Z$/)
      expect(second.getTime()).toBeGreaterThanOrEqual(first.getTime())
    })
  })
}

/** @param make keys of the same platform each time it is called */
export function keysContract(name: string, make: () => Promise<Keys>): void {
  describe(`keys: ${name}`, () => {
    it('mask with 32 bytes, the same every time', async () => {
      const [first, again] = [await make(), await make()]
      const mask = await first.mask()
      expect(mask.length).toBe(32)
      expect(Buffer.from(await again.mask()).equals(Buffer.from(mask))).toBe(true)
    })
  })
}

/** @param known a reference and its secret; @param foreign references of other platforms; @param absent references to nothing */
export function secretsContract(
  name: string,
  make: () => Promise<{ secrets: Secrets; known: [string, string][]; foreign: string[]; absent: string[] }>,
): void {
  describe(`secrets: ${name}`, () => {
    it('resolve what this platform holds', async () => {
      const { secrets, known } = await make()
      for (const [ref, secret] of known) expect(await secrets.resolve(ref)).toBe(secret)
    })

    it('say what is missing and what another platform holds', async () => {
      const { secrets, foreign, absent } = await make()
      for (const ref of absent) expect(await refusal(secrets.resolve(ref))).toBe('NOT_FOUND')
      for (const ref of foreign) expect(await refusal(secrets.resolve(ref))).not.toBe('no error')
    })
  })
}

/**
 * @param make tokens of tasks that wait right now. `ended` comes back once the platform has acted on the answers it took; `refusesAtOnce`: of two
 * answers at the same moment it refuses one, and not only later ones
 */
export function taskTokensContract(
  name: string,
  make: () => Promise<{
    tokens: TaskTokens
    waiting: () => Promise<string>
    ended(): Promise<void>
    refusesAtOnce: boolean
    done(): Promise<void>
  }>,
): void {
  describe(`task tokens: ${name}`, () => {
    it('complete a task once, with success or failure', async () => {
      const { tokens, waiting, ended, refusesAtOnce, done } = await make()
      try {
        const token = await waiting()
        await tokens.succeed(token, { decision: 'APPROVED' })
        await ended()
        expect(await refusal(tokens.succeed(token, { decision: 'REJECTED' }))).toBe('NOT_FOUND')
        expect(await refusal(tokens.fail(token, 'APPROVAL_REFUSED', 'no'))).toBe('NOT_FOUND')
        const other = await waiting()
        const both = await Promise.all([refusal(tokens.fail(other, 'APPROVAL_REFUSED', 'no')), refusal(tokens.succeed(other, {}))])
        if (refusesAtOnce) expect(both.toSorted()).toEqual(['NOT_FOUND', 'no error'])
        else expect(both).toContain('no error')
        await ended()
        expect(await refusal(tokens.succeed(other, {}))).toBe('NOT_FOUND')
      } finally {
        await done()
      }
    })

    it('refuse a token that was never given out', async () => {
      const { tokens, done } = await make()
      try {
        expect(await refusal(tokens.succeed('A'.repeat(43), {}))).toBe('NOT_FOUND')
        expect(await refusal(tokens.fail('', 'x', 'y'))).toBe('NOT_FOUND')
      } finally {
        await done()
      }
    })
  })
}

/** @param make `anchored` lists what was anchored of a project so far, one text each; `p1` and `p2` have a chain */
export function anchorsContract(
  name: string,
  make: () => Promise<{ anchors: Anchors; anchored(projectId: string): Promise<string[]>; done(): Promise<void> }>,
): void {
  describe(`anchors: ${name}`, () => {
    it('are made when the asking comes back, of the project named alone', async () => {
      const { anchors, anchored, done } = await make()
      try {
        await anchors.anchor('p1')
        expect(await anchored('p1')).toHaveLength(1)
        expect(await anchored('p2')).toEqual([])
        await anchors.anchor('p2')
        expect(await anchored('p2')).toHaveLength(1)
        expect(await anchored('p1')).toHaveLength(1)
      } finally {
        await done()
      }
    })
  })
}
