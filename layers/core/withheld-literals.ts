import type { Catalog, CatalogTable } from './schemas/catalog.ts'
import type { SchemaDifference } from './schemas/recon.ts'

/**
 * Declarations without the values in them. A default, a check or an enum's labels hold values, and a comment holds whatever somebody wrote:
 * a name, a telephone number, once even a password. Evidence says that they are there and what shape they have, not what they say.
 */

/** What stands in a value's place. */
export const WITHHELD = '…'

/** Shorter numbers are lengths, scales and codes; a telephone, account or card number is longer. */
const SHORTEST_NUMBER = 6

/**
 * From left to right: a quoted name, a text with escapes, a text, a text between dollars, a number. Texts that do not end are taken to the
 * end: a definition that was cut must not show what it was cut in.
 */
const PARTS =
  /"(?:[^"]|"")*"|(?<![\w$])[Ee]'(?:[^'\\]|''|\\[\s\S])*(?:'|$)|'(?:[^']|'')*(?:'|$)|(?<![\w$])\$([A-Za-z_]\w*|)\$[\s\S]*?(?:\$\1\$|$)|(?<![\w.$])\d[\d.]*(?![\w.])/g
/** A text that names an object, as in `nextval('s'::regclass)`. */
const NAMES_OBJECT = /^::regclass\b/

/** An expression or definition with every text and every long number in it replaced; names stay. */
export function withheldLiterals(definition: string): string {
  return definition.replace(PARTS, (part: string, ...rest: unknown[]) => {
    if (part.startsWith('"')) return part
    const end = (rest.find((each) => typeof each === 'number') as number) + part.length
    if (/^\d/.test(part)) return part.replaceAll('.', '').length < SHORTEST_NUMBER ? part : WITHHELD
    return NAMES_OBJECT.test(definition.slice(end)) ? part : `'${WITHHELD}'`
  })
}

const orNull = (definition: string | null) => (definition === null ? null : withheldLiterals(definition))
/** Nothing but that there is one. */
const comment = (text: string | null) => (text === null || text === '' ? text : WITHHELD)
/** What the catalog left out stays left out. */
const where = <K extends string, T>(name: K, value: T | undefined, withheld: (value: T) => T): Partial<Record<K, T>> =>
  value === undefined ? {} : ({ [name]: withheld(value) } as Record<K, T>)
const defined = <T extends { definition: string }>(objects: T[]) =>
  objects.map((object) => ({ ...object, definition: withheldLiterals(object.definition) }))

/** A catalog for the evidence: all names, types and keys, no comment, no literal. */
export function withheldCatalog(catalog: Catalog): Catalog {
  return { ...catalog, tables: catalog.tables.map(withheldTable) }
}

function withheldTable(table: CatalogTable): CatalogTable {
  return {
    ...table,
    comment: comment(table.comment),
    columns: table.columns.map((column) => ({
      ...column,
      default: orNull(column.default),
      comment: comment(column.comment),
      ...where('type_definition', column.type_definition, orNull),
      ...where('generation', column.generation, (generation) =>
        generation === null ? null : { ...generation, expression: withheldLiterals(generation.expression) },
      ),
    })),
    unique_keys: table.unique_keys.map((key) => ({ ...key, ...where('definition', key.definition, withheldLiterals) })),
    checks: table.checks.map((check) => ({ ...check, expression: withheldLiterals(check.expression) })),
    indexes: table.indexes.map((index) => ({
      ...index,
      definition: withheldLiterals(index.definition),
      ...where('predicate', index.predicate, orNull),
      ...where('shape', index.shape, withheldLiterals),
    })),
    ...where('partition_key', table.partition_key, orNull),
    ...where('partition_bounds', table.partition_bounds, defined),
    ...where('exclusions', table.exclusions, defined),
    ...where('triggers', table.triggers, defined),
    ...where('policies', table.policies, defined),
    ...where('sequences', table.sequences, (sequences) => sequences.map(({ last_value: _, reached: __, ...sequence }) => sequence)),
  }
}

/** A schema difference for the evidence. Two declarations that differ in a value only look alike here; that they differ is said by their being listed. */
export function withheldDifference(found: SchemaDifference): SchemaDifference {
  const shown = found.kind === 'comment' ? comment : orNull
  return { ...found, source: shown(found.source), target: shown(found.target) }
}
