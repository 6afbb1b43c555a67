import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Catalog } from '../../layers/core/schemas/catalog.ts'
import { catalog as catalogShape } from '../../layers/core/schemas/catalog.ts'
import { withheldCatalog, withheldDifference, withheldLiterals } from '../../layers/core/withheld-literals.ts'

describe('a definition', () => {
  it.each([
    [`'Dorothea'::text`, `'…'::text`],
    [`E'it\\'s\\nher'::text`, `'…'::text`],
    [`'O''Neil'`, `'…'`],
    [`'say "Dorothea" twice'`, `'…'`],
    [`"a 'quoted' name" = 'x'`, `"a 'quoted' name" = '…'`],
    [`"odd""name" <> 'x'`, `"odd""name" <> '…'`],
    ['$$Dorothea$$', `'…'`],
    ['$x$ a $$ b $x$ || c', `'…' || c`],
    [`nextval('public.s_id_seq'::regclass)`, `nextval('public.s_id_seq'::regclass)`],
    [`nextval('s'::regclassic)`, `nextval('…'::regclassic)`],
    ['(price > 12.50)', '(price > 12.50)'],
    ['(phone = 4915550198765)', '(phone = …)'],
    ['4915550.198765', '…'],
    ['numeric(12,2)', 'numeric(12,2)'],
    ['int4 + x123456789', 'int4 + x123456789'],
    [`('calm', 'Leopold')`, `('…', '…')`],
    [`'cut in the mid`, `'…'`],
    ['$$cut in the mid', `'…'`],
    [`USING btree (lower(name)) WHERE (note = 'x'::text)`, `USING btree (lower(name)) WHERE (note = '…'::text)`],
  ])('%s', (definition, shown) => {
    expect(withheldLiterals(definition)).toBe(shown)
  })

  it('shows nothing of any text, whatever stands around it and in it', () => {
    const filler = fc.constantFrom('', ' ', '(', 'a = ', '"n""x" = ', 'ARRAY[', '12, ', ' E', '"\'" || ')
    fc.assert(
      fc.property(filler, fc.string({ unit: 'binary' }), fc.boolean(), filler, (before, extra, escaped, after) => {
        const secret = `Zq7${extra}Zq8`
        const body = secret.replaceAll("'", "''")
        const literal = escaped ? `E'${body.replaceAll('\\', '\\\\')}'` : `'${body}'`
        const glued = / E$/.test(before) ? `${before} ` : before
        const shown = withheldLiterals(`${glued}${literal}${after}`)
        expect(shown).not.toContain('Zq7')
        expect(shown).not.toContain('Zq8')
      }),
    )
  })
})

describe('a catalog', () => {
  const SECRET = 'Zq7Zq8'
  const text = `f('${SECRET}'::text)`
  const whole: Catalog = {
    system_type: 'POSTGRESQL',
    server_version: '18.0',
    database: 'd',
    tables: [
      {
        schema: 's',
        name: 't',
        kind: 'partitioned',
        comment: SECRET,
        columns: [
          {
            name: 'c',
            type: 'text',
            nullable: true,
            default: text,
            generated: true,
            identity: false,
            collation: null,
            comment: SECRET,
            type_definition: `('${SECRET}')`,
            generation: { expression: text, stored: true },
          },
        ],
        primary_key: ['c'],
        unique_keys: [{ name: 'u', columns: ['c'], nullable: true, definition: text }],
        foreign_keys: [],
        checks: [{ name: 'k', expression: text }],
        indexes: [{ name: 'i', definition: text, unique: false, valid: true, predicate: text, shape: text }],
        partitions: ['p'],
        partition_key: text,
        partition_bounds: [{ name: 'p', definition: text }],
        exclusions: [{ name: 'x', definition: text }],
        triggers: [{ name: 'g', definition: text }],
        policies: [{ name: 'y', definition: text }],
        sequences: [
          {
            schema: 's',
            name: 'q',
            column: 'c',
            owned: true,
            type: 'bigint',
            start: '1',
            increment: '1',
            min: '1',
            max: '9',
            cycle: false,
            last_value: SECRET,
            reached: SECRET,
          },
        ],
        estimated_rows: '1',
        bytes: '1',
      },
    ],
  }

  it('keeps names, types and keys and no value of any field; null and absent stay what they are', () => {
    const shown = withheldCatalog(whole)
    expect(catalogShape.parse(shown)).toEqual(shown)
    expect(JSON.stringify(shown)).not.toContain(SECRET)
    expect(shown.tables[0]).toMatchObject({
      name: 't',
      comment: '…',
      primary_key: ['c'],
      partitions: ['p'],
      columns: [{ name: 'c', type: 'text', default: `f('…'::text)` }],
    })
    const { type_definition: _, generation: __, ...plain } = whole.tables[0]!.columns[0]!
    const bare = { ...whole, tables: [{ ...whole.tables[0]!, comment: null, columns: [{ ...plain, default: null, comment: '' }] }] }
    const column = withheldCatalog(bare).tables[0]!.columns[0]!
    expect(column).toMatchObject({ default: null, comment: '' })
    expect(Object.keys(column)).not.toContain('generation')
  })

  it('so does a difference', () => {
    const difference = { kind: 'default', where: 's.t.c', source: text, target: null, severity: 'WARNING', planned: false } as const
    expect(withheldDifference(difference)).toEqual({ ...difference, source: `f('…'::text)` })
    expect(withheldDifference({ ...difference, kind: 'comment', source: 'Dorothea', target: '' })).toMatchObject({
      source: '…',
      target: '',
    })
  })
})
