import { describe, expect, it } from 'vitest'
import { chooseArchetype } from '../../layers/core/archetype-registry.ts'
import { archetypes } from '../../layers/core/rulebooks.ts'
import { flightsSpec } from '../agents/support/facts.ts'

const scope = (from: 'POSTGRESQL' | 'PARQUET' | 'CSV' | 'JSON', archetype?: string) => {
  const { archetype: _own, ...spec } = flightsSpec()
  return { ...spec, source: { system_type: from }, ...(archetype === undefined ? {} : { archetype }) }
}
const refused = (says: string) => expect.objectContaining({ code: 'SPEC_INVALID', message: expect.stringContaining(says) })

describe('an archetype', () => {
  it.each(['POSTGRESQL', 'PARQUET', 'CSV', 'JSON'] as const)('is found for %s', (from) => {
    const found = chooseArchetype(scope(from), archetypes)
    expect(found.source_system_types).toContain(from)
    expect(chooseArchetype(scope(from, found.id), archetypes)).toBe(found)
  })
  it('that does not exist is refused, with those that do', () => {
    expect(() => chooseArchetype(scope('CSV', 'oracle-to-postgres'), archetypes)).toThrow(refused('postgres-to-postgres'))
  })
  it('for another pair of systems is refused, with the one that fits', () => {
    expect(() => chooseArchetype(scope('CSV', 'postgres-to-postgres'), archetypes)).toThrow(refused('csv-to-postgres'))
  })
  it('is refused where none fits', () => {
    expect(() =>
      chooseArchetype(
        scope('CSV'),
        archetypes.filter((archetype) => archetype.id !== 'csv-to-postgres'),
      ),
    ).toThrow(refused('No archetype fits this spec. It moves CSV to POSTGRESQL'))
  })
  it('refusals name the nearest ones, what was meant, and how to add another', () => {
    const message = (act: () => unknown): string => {
      try {
        act()
      } catch (error) {
        return (error as Error).message
      }
      return ''
    }
    expect(message(() => chooseArchetype(scope('CSV', 'cvs-to-postgres'), archetypes))).toMatch(
      /Did you mean "csv-to-postgres"\?.*docs\/policy\.md/,
    )
    expect(message(() => chooseArchetype(scope('CSV', 'oracle-to-kudu'), archetypes))).not.toMatch(/Did you mean/)
    const without = archetypes.filter((archetype) => archetype.id !== 'csv-to-postgres')
    expect(message(() => chooseArchetype(scope('CSV'), without))).toMatch(
      /Nearest: postgres-to-postgres \(POSTGRESQL to POSTGRESQL\).*docs\/policy\.md/,
    )
    expect(message(() => chooseArchetype(scope('CSV'), []))).toMatch(/No archetype reads the one or writes the other/)
  })
  it('must be named where several fit', () => {
    const twin = { ...archetypes[0]!, id: 'twin' }
    expect(() => chooseArchetype(scope('POSTGRESQL'), [...archetypes, twin])).toThrow(refused('twin'))
    expect(chooseArchetype(scope('POSTGRESQL', 'twin'), [...archetypes, twin])).toBe(twin)
  })
})
