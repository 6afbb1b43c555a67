import type { FileColumn } from './relation.ts'
import { type DuckSession, literal } from './session.ts'
import { fileType } from './types.ts'

/**
 * Columns of a Parquet file under the names that stand in it. Where DuckDB would read less than the file holds, the type is the file's and not
 * DuckDB's, so that it is refused by name: INT96 counts nanoseconds, of which DuckDB drops three digits, as it does of nanoseconds in UTC; a decimal of
 * more than 38 digits it reads as a double.
 */
export async function parquetColumns(duck: DuckSession, path: string): Promise<FileColumn[]> {
  const described = await duck.ask(`DESCRIBE SELECT * FROM read_parquet([${literal(path)}], hive_partitioning = false)`)
  const elements = topLevel(
    await duck.ask(
      `SELECT name, type, num_children::VARCHAR AS children, converted_type, logical_type, precision::VARCHAR AS precision, scale::VARCHAR AS scale
         FROM parquet_schema(${literal(path)})`,
    ),
  )
  return described.map((row, index) => {
    const element = elements[index]
    return { name: element?.name ?? row.column_name ?? '', type: fileType(exactType(row.column_type ?? '', element)), partition: false }
  })
}

type Element = Readonly<Record<string, string | null>>

/** The schema is a tree written depth first; the first element is its root. */
function topLevel(elements: readonly Element[]): Element[] {
  const top: Element[] = []
  let at = 1
  const skip = () => {
    const children = Number(elements[at]?.children ?? 0)
    at++
    for (let child = 0; child < children; child++) skip()
  }
  while (at < elements.length) {
    top.push(elements[at]!)
    skip()
  }
  return top
}

function exactType(duck: string, element: Element | undefined): string {
  if (element?.type === 'INT96') return 'INT96'
  const nanoseconds = /NANOS=(?!<null>)/.test(element?.logical_type ?? '')
  if (nanoseconds && duck !== 'TIMESTAMP_NS') return `${duck} in nanoseconds`
  const decimal = element?.converted_type === 'DECIMAL' || (element?.logical_type ?? '').startsWith('Decimal')
  if (decimal && !duck.startsWith('DECIMAL')) return `DECIMAL(${element?.precision ?? '?'},${element?.scale ?? '?'}) in more than 38 digits`
  return duck
}
