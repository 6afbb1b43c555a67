import { type Expression, instantText, momentText } from './expression.ts'
import { type Piece, pieces, type Relation } from './relation.ts'
import type { DuckSession } from './session.ts'

/** Rows in PostgreSQL's COPY text format, and how many they are. */
export type Lines = { bytes: Uint8Array; rows: bigint }

/** A group of lines becomes one value, so that one call hands over thousands of rows. */
const ROWS_PER_VALUE = 4096n
const ROWS_PER_PIECE = 131_072n

/**
 * Rows of a relation as COPY text, `from` ≤ row < `to`. DuckDB prints and escapes; JavaScript only carries bytes. Memory stays at two pieces.
 * @throws NOT_REPRESENTABLE, CONNECTION_FAILED
 */
export async function* copyLines(
  duck: DuckSession,
  relation: Relation,
  expressions: readonly Expression[],
  filter: string | null,
  range: { from: bigint; to: bigint | null },
): AsyncGenerator<Lines> {
  const line = `${expressions.map(field).join(` || chr(9) || `)} || chr(10)`
  for (const piece of pieces(relation, range.from, range.to, ROWS_PER_PIECE)) {
    yield* relation.format === 'PARQUET' ? grouped(duck, piece, line, filter) : streamed(duck, piece, line, filter)
  }
}

async function* grouped(duck: DuckSession, piece: Piece, line: string, filter: string | null): AsyncGenerator<Lines> {
  const where = [piece.where, filter].filter((term) => term !== null).join(' AND ')
  const inner = `SELECT file_row_number // ${ROWS_PER_VALUE} AS g, ${line} AS line FROM ${piece.from} WHERE ${where}`
  const sql = `SELECT encode(string_agg(line, '')) AS bytes, count(*)::VARCHAR AS n FROM (${inner}) GROUP BY g`
  for await (const vectors of duck.vectors(sql)) {
    const counts = vectors.column(1)
    for (const [index, value] of vectors.column(0).entries()) {
      yield { bytes: (value as { bytes: Uint8Array }).bytes, rows: BigInt(String(counts[index])) }
    }
  }
}

async function* streamed(duck: DuckSession, piece: Piece, line: string, filter: string | null): AsyncGenerator<Lines> {
  for await (const vectors of duck.vectors(`SELECT ${line} FROM ${piece.from}${filter === null ? '' : ` WHERE ${filter}`}`)) {
    yield { bytes: Buffer.from((vectors.column(0) as string[]).join('')), rows: BigInt(vectors.rows) }
  }
}

/** One field of COPY text: `\N` for NULL, and the four characters with a meaning escaped where they can occur. */
function field(expression: Expression): string {
  return `coalesce(${fieldText(expression)}, '\\N')`
}

function fieldText({ sql, family }: Expression): string {
  switch (family) {
    case 'bytes':
      return `'\\\\x' || lower(hex(${sql}))`
    case 'text':
      return `replace(replace(replace(replace(${sql}, '\\', '\\\\'), chr(9), '\\t'), chr(10), '\\n'), chr(13), '\\r')`
    case 'date':
    case 'timestamp':
      return momentText(sql)
    case 'instant':
      return instantText(sql)
    default:
      return `CAST(${sql} AS VARCHAR)`
  }
}
