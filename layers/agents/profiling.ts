import { baseType } from '../core/rulebooks.ts'
import type { Catalog, Profile } from '../core/schemas/catalog.ts'
import { type ProfilingReport, profilingReport } from '../core/schemas/report.ts'
import type { Agent, Citation, Conclusion } from './agent.ts'
import { objectName, share } from './object-name.ts'
import { suspectedPii } from './personal-data.ts'

export type ProfilingFacts = { source: Catalog; profile: Profile; pii_name_fragments: string[] }

type Flag = ProfilingReport['flags'][number]

/** What the measured figures say about each table and column. */
export const profilingAgent: Agent<ProfilingFacts, typeof profilingReport> = {
  name: 'profiling',
  schema: profilingReport,
  question: 'Which figures in this profile would make a migration risky?',
  propose,
}

function propose(facts: ProfilingFacts): Conclusion<ProfilingReport> {
  const citations: Citation[] = []
  const flags: Flag[] = []
  const { tables } = facts.profile
  const scanned = new Set(tables.map(objectName))
  const left = facts.source.tables.filter((table) => !scanned.has(objectName(table)))
  let unmeasured = 0

  for (const [index, table] of tables.entries()) {
    const object = objectName(table)
    const at = `/tables/${index}`
    const flag = (kind: Flag['flag'], column: string | null, pointer: string, says: string) => {
      flags.push({ flag: kind, object, column, says })
      citations.push({ fact: 'profile', pointer: at + pointer, says: says.slice(0, 500) })
    }
    citations.push({ fact: 'profile', pointer: `${at}/rows`, says: 'Rows counted by a scan.' })

    const known = facts.source.tables.find((candidate) => candidate.schema === table.schema && candidate.name === table.name)
    if (known !== undefined && known.primary_key === null && known.unique_keys.every((unique) => unique.nullable)) {
      flag('no-key', null, '', 'No key identifies a row: rows are compared as a multiset, with multiplicities.')
    }
    if (table.rows === '0') flag('empty-table', null, '/rows', 'The table is empty.')
    if (table.duplicate_rows === null) {
      unmeasured += 1
      flag('not-measured', null, '/duplicate_rows', 'Exact duplicates were not counted.')
    } else if (table.duplicate_rows !== '0') {
      flag(
        'exact-duplicates',
        null,
        '/duplicate_rows',
        `${table.duplicate_rows} rows are exact copies of another row; they must arrive as often as they left.`,
      )
    }
    for (const [position, column] of table.columns.entries()) {
      const pointer = `/columns/${position}`
      if (table.rows !== '0' && column.nulls === table.rows)
        flag('all-null-column', column.name, `${pointer}/nulls`, 'Every value is NULL.')
      else if (column.distinct === '1' && BigInt(table.rows) > 1n)
        flag('constant-column', column.name, `${pointer}/distinct`, 'One value only, besides NULL.')
      if (column.distinct === null) unmeasured += 1
      if (suspectedPii(column.name, facts.pii_name_fragments)) {
        flag('suspected-personal-data', column.name, `${pointer}/name`, 'The name suggests personal data.')
      }
    }
  }

  return {
    proposal: {
      schema: 'waybill/profiling-report/v1',
      profile: {
        tables: tables.map((table) => ({ ...table, columns: table.columns.map((column) => withheld(column, facts.pii_name_fragments)) })),
      },
      row_counts: tables.map((table) => ({ object: objectName(table), rows: table.rows, duplicate_rows: table.duplicate_rows })),
      columns: tables.flatMap((table) =>
        table.columns.map((column) => ({
          object: objectName(table),
          column: column.name,
          type: column.type,
          null_rate: share(column.nulls, table.rows),
          distinct: column.distinct,
        })),
      ),
      flags,
    },
    methodology:
      'Each figure is taken from the profile, which scanned the source. Flags compare figures with each other and with the declared keys; personal data is suspected from column names alone.',
    citations,
    confidence: unmeasured === 0 && left.length === 0 ? 1 : 0.8,
    limitations: [
      'Smallest and largest values are kept for numbers and times only, and not where a name suggests personal data.',
      'Personal data is suspected by name only; a column with an innocent name may still hold it.',
      'The profile is of one moment; a live source may have changed since.',
      ...(left.length === 0
        ? []
        : [
            `${left.length === 1 ? '1 table is' : `${left.length} tables are`} too large to be scanned for a profile; for sizes the system's estimates stand: ${left.slice(0, 5).map(objectName).join(', ')}${left.length > 5 ? ' and more' : ''}.`.slice(
              0,
              500,
            ),
          ]),
      ...(unmeasured === 0 ? [] : [`${unmeasured} figures were not measured; the profile says why.`]),
    ],
  }
}

type ColumnProfile = Profile['tables'][number]['columns'][number]

/** The report is kept as evidence, and a smallest or largest value is somebody's value: of text, never; of numbers and times, unless the name warns. */
function withheld(column: ColumnProfile, fragments: readonly string[]): ColumnProfile {
  const measure = /^(?:u?tinyint|u?smallint|u?integer|u?bigint|u?hugeint|numeric|real|double precision|date|time|timestamp|interval)/.test(
    baseType(column.type),
  )
  if (measure && !suspectedPii(column.name, fragments)) return column
  if (column.min === null && column.max === null) return column
  const why = 'smallest and largest value are withheld: they may be personal data'
  return { ...column, min: null, max: null, reason: column.reason === null ? why : `${column.reason}; ${why}` }
}
