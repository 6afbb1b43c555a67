import { inspect } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isWaybillError } from '../../layers/core/errors.ts'
import type { Secrets } from '../../layers/core/ports.ts'
import { FAULTS, type Fault, type StoreServer } from '../secret-stores/store-server.ts'

export type StoreUnderTest = {
  secrets: Secrets
  server: StoreServer
  known: [ref: string, secret: string][]
  absent: string[]
  /** Held, but not for who asks. */
  denied: string[]
  /** Written wrongly, or leading out of the store. */
  refused: string[]
  /** Texts that no error may hold: secrets and what the store is asked with. */
  canaries: string[]
  /** Milliseconds waited between attempts, where the adapter is the one who waits. */
  pauses?: number[]
}

async function failure(promise: Promise<string>): Promise<Error> {
  const outcome = await promise.then(
    () => null,
    (error: unknown) => error,
  )
  expect(outcome, 'a secret came back').toBeInstanceOf(Error)
  return outcome as Error
}

/** The error in every form in which a program could print it. */
function printed(error: Error): string {
  const forms = [
    inspect(error, { depth: 12, showHidden: true, getters: true, maxStringLength: null }),
    error.stack,
    JSON.stringify(error),
    String(error.cause),
  ]
  return forms.join('\n')
}

/** What every adapter of a store that is asked over HTTP must do; `without` what is no fault to an SDK that reads the answer. */
export function secretStoreContract(name: string, make: () => Promise<StoreUnderTest>, without: readonly Fault[] = []): void {
  describe(`secret store: ${name}`, () => {
    let on: StoreUnderTest
    beforeAll(async () => {
      on = await make()
    })
    afterAll(() => on.server.close())

    const clean = async (ref: string): Promise<string> => {
      const error = await failure(on.secrets.resolve(ref))
      for (const canary of on.canaries) expect(printed(error), ref).not.toContain(canary)
      expect(error.message.length).toBeLessThan(400)
      return isWaybillError(error) ? error.code : `not ours: ${error.name}`
    }

    it('gives what it holds, asking anew each time', async () => {
      for (const [ref, secret] of on.known) {
        expect(await on.secrets.resolve(ref), ref).toBe(secret)
        const before = on.server.asked.length
        expect(await on.secrets.resolve(ref), ref).toBe(secret)
        expect(on.server.asked.length, ref).toBeGreaterThan(before)
      }
    })

    it('says what is not there, and what is not for whoever asks', async () => {
      for (const ref of on.absent) expect(await clean(ref), ref).toBe('NOT_FOUND')
      for (const ref of on.denied) expect(await clean(ref), ref).toBe('PERMISSION_DENIED')
    })

    it('refuses a reference that is none of its own before it asks anybody', async () => {
      const before = on.server.asked.length
      for (const ref of on.refused) expect(await clean(ref), ref).toMatch(/^(BAD_INPUT|PERMISSION_DENIED)$/)
      expect(on.server.asked.length).toBe(before)
    })

    it('waits and asks again when the store is busy', async () => {
      on.server.fault = 'busy once'
      const [ref, secret] = on.known[0]!
      expect(await on.secrets.resolve(ref)).toBe(secret)
      // The store asked for seven seconds.
      if (on.pauses !== undefined) expect(on.pauses.splice(0)).toEqual([7000])
    })

    for (const fault of FAULTS.filter((each) => each !== 'busy once' && !without.includes(each))) {
      it(`fails clearly, and shows nothing, when the store is: ${fault}`, async () => {
        on.server.fault = fault
        const before = on.server.asked.length
        try {
          expect(await clean(on.known[0]![0])).toMatch(fault === 'another form' ? /^(CONNECTION_FAILED|NOT_FOUND)$/ : /^CONNECTION_FAILED$/)
          const times = on.server.asked.length - before
          if (fault === 'busy' || fault === 'broken') expect(times).toBeGreaterThan(1)
          expect(times).toBeLessThan(10)
        } finally {
          on.server.fault = null
          on.pauses?.splice(0)
        }
      })
    }

    it('fails clearly when nobody is there', async () => {
      const other = await make()
      await other.server.close()
      const error = await failure(other.secrets.resolve(other.known[0]![0]))
      expect(isWaybillError(error) && error.code).toBe('CONNECTION_FAILED')
      for (const canary of other.canaries) expect(printed(error)).not.toContain(canary)
    })
  })
}
