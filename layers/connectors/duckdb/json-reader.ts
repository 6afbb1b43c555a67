import { literal, name as quoted } from './session.ts'

/**
 * JSON objects as rows, one VARCHAR column per key. DuckDB would read a number as a double, so every number is put into quotes behind U+0001 before
 * it looks at the text, and comes out as it was written. A value is `s` and the text of a string, `r` and a number, true or false as written, or `j`
 * and the text of an object or array; JSON null and an absent key are NULL. An object with a key twice is refused: which value counts is nowhere said.
 */
export function jsonReader(paths: readonly string[], keys: readonly string[]): string {
  const pointers = keys.map((key) => literal(`/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`))
  const columns = keys.map((key, index) => `${tagged(`values[${index + 1}]`)} AS ${quoted(key)}`)
  const marked = `json_extract(CAST(${MARKED} AS JSON), [${pointers.join(', ')}])`
  return `(SELECT ${columns.join(', ')} FROM (SELECT CAST(${marked} AS VARCHAR[]) AS values FROM ${objects(paths)}))`
}

/** Every key of every object, in the order in which they come up; a sample would miss the key that comes up late. */
export function jsonKeysSql(path: string): string {
  const keys = `SELECT ${CHECKED} AS keys, row_number() OVER () AS n FROM ${objects([path])}`
  return `SELECT key FROM (SELECT unnest(keys) AS key, generate_subscripts(keys, 1) AS i, n FROM (${keys})) GROUP BY key ORDER BY min(n), min(i)`
}

/** The text of a value for a column of any type but jsonb. */
export function jsonText(column: string): string {
  const column_ = quoted(column)
  const nested = literal(
    `waybill: Column ${JSON.stringify(column)} holds an object or an array, which only a jsonb column holds exactly. Exclude it.`,
  )
  return `CASE WHEN starts_with(${column_}, 'j') THEN error(${nested}) ELSE substr(${column_}, 2) END`
}

/** The value as JSON text, numbers as they were written. */
export function jsonRaw(column: string): string {
  return `CASE WHEN starts_with(${quoted(column)}, 's') THEN CAST(to_json(substr(${quoted(column)}, 2)) AS VARCHAR) ELSE substr(${quoted(column)}, 2) END`
}

function objects(paths: readonly string[]): string {
  return `read_json_objects([${paths.map(literal).join(', ')}], format = 'auto', hive_partitioning = false)`
}

const complaint = (what: string) => `error('waybill: ${what}')`

const CHECKED = `CASE WHEN json_type(json) <> 'OBJECT' THEN ${complaint('A JSON file must hold objects, one a row; it holds another value.')}
  WHEN len(json_keys(json)) <> len(list_distinct(json_keys(json))) THEN ${complaint('A JSON object has the same key twice; which value counts is not said. Mend the file.')}
  ELSE json_keys(json) END`

/** Strings and numbers of a JSON text, whichever comes first. */
const TOKENS = `'("(?:[^"\\\\]|\\\\.)*")|(-?[0-9][0-9.eE+-]*)'`

const MARKED = `CASE WHEN len(${CHECKED}) < 0 THEN NULL
  WHEN contains(json, '\\u0001') THEN ${complaint('A JSON text holds the escape u0001, which is not read here. Take it out of the file.')}
  ELSE replace(replace(replace(regexp_replace(CAST(json AS VARCHAR), ${TOKENS}, '\\1' || chr(1) || '\\2' || chr(2), 'g'),
    chr(1) || chr(2), ''), chr(1), '"\\u0001'), chr(2), '"') END`

function tagged(value: string): string {
  return `CASE WHEN ${value} IS NULL OR ${value} = 'null' THEN NULL
    WHEN starts_with(${value}, '"\\u0001') THEN 'r' || substr(${value}, 8, length(${value}) - 8)
    WHEN starts_with(${value}, '"') THEN 's' || json_extract_string(${value}, '$')
    WHEN starts_with(${value}, '{') OR starts_with(${value}, '[') THEN 'j' || regexp_replace(${value}, '"\\\\u0001([^"]*)"', '\\1', 'g')
    ELSE 'r' || ${value} END`
}
