import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { slug } from '../../layers/core/schemas/common.ts'
import { sourceObject, tableFinder, tableIds } from '../../layers/core/table-id.ts'

const name = fc.oneof(
  fc.constantFrom('flight', 'Flight', 'flight ', 'fl"ight', 'ﬂight', '漢字', '-', 'a'.repeat(100)),
  fc.string({ minLength: 1, maxLength: 20 }),
)
const targets = fc.uniqueArray(fc.record({ schema: name, name }), {
  selector: (target) => JSON.stringify([target.schema, target.name]),
  maxLength: 12,
})

describe('table ids', () => {
  it('are slugs, unique, and short enough for a prefix', () => {
    fc.assert(
      fc.property(targets, (tables) => {
        const ids = tableIds(tables)
        expect(new Set(ids).size).toBe(tables.length)
        for (const id of ids) expect(slug.safeParse(`add-foreign-keys-${id}`).success && id.length <= 40).toBe(true)
      }),
    )
  })
  it('are the names themselves where these are unique slugs', () => {
    expect(tableIds([{ schema: 's', name: 'flight' }])).toEqual(['flight'])
    const [first, second] = tableIds([
      { schema: 'a', name: 'flight' },
      { schema: 'b', name: 'flight' },
    ])
    expect(first).toMatch(/^flight-[0-9a-f]{8}$/)
    expect(second).not.toBe(first)
  })
  it('are found again by id, by name and by qualified name, and never guessed', () => {
    fc.assert(
      fc.property(targets, (tables) => {
        const find = tableFinder(tables)
        for (const [index, id] of tableIds(tables).entries()) expect(find(id)).toBe(index)
      }),
    )
    const find = tableFinder([
      { schema: 'a', name: 'flight' },
      { schema: 'b', name: 'flight' },
    ])
    expect([find('flight'), find('b.flight'), find('nothing')]).toEqual([null, 1, null])
  })
})

describe('a source', () => {
  it.each([
    ['public.a', ['public', 'a']],
    ['"odd.schema"."a ""b"""', ['odd.schema', 'a "b"']],
    ['public."Flights 2001"', ['public', 'Flights 2001']],
  ])('%s is read', (text, [schema, table]) => {
    expect(sourceObject('POSTGRESQL', text)).toEqual({ schema, name: table, kind: 'table' })
  })
  it.each(['a', 'a.', '.a', 'a.b.c', 'a..b', '"a.b', '""."b"', 'a."b"c'])('%j is refused', (text) => {
    expect(sourceObject('POSTGRESQL', text)).toBeNull()
  })
  it('of files is a path', () => {
    expect(sourceObject('CSV', 'a.b/c*.csv')).toEqual({ schema: 'files', name: 'a.b/c*.csv', kind: 'file' })
  })
})
