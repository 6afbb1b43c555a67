import { stringify } from 'yaml'
import type { TableMapping } from '../core/schemas/proposal.ts'
import { filterSql, quoteIdentifier, transformSql } from '../core/sql-text.ts'
import { commentText, sourceRelation } from './rewrite-sql.ts'

/** Source names in dbt are ours; the database's own names follow as `schema` and `identifier`. */
const SOURCE = 'waybill_source'

/** dbt renders YAML and SQL with Jinja first, so braces that could open an expression are taken apart wherever a name is written. */
function jinjaSafe(text: string): string {
  return text.replace(/\{(?=[{%#])/g, "{{ '{' }}")
}

/** A string in YAML that Jinja must not see. Where a name holds an opening brace pair, it is shown with spaces: dbt names are labels here. */
function yamlSafe(text: string): string {
  return text.replace(/\{(?=[{%#])/g, '{ ')
}

/** One dbt source a schema, one table an entry. */
export function dbtSources(tables: readonly TableMapping[]): string {
  const schemas = [...new Set(tables.map((table) => sourceRelation(table).schema))]
  return stringify(
    {
      version: 2,
      sources: schemas.map((schema) => ({
        name: sourceName(tables, schema),
        schema: yamlSafe(schema),
        quoting: { schema: true, identifier: true },
        tables: tables
          .filter((table) => sourceRelation(table).schema === schema)
          .map((table) => ({ name: table.table_id, identifier: yamlSafe(sourceRelation(table).name) })),
      })),
    },
    { lineWidth: 0, defaultStringType: 'QUOTE_DOUBLE', defaultKeyType: 'PLAIN' },
  )
}

function sourceName(tables: readonly TableMapping[], schema: string): string {
  const schemas = [...new Set(tables.map((table) => sourceRelation(table).schema))]
  const at = schemas.indexOf(schema)
  return at === 0 ? SOURCE : `${SOURCE}_${at + 1}`
}

/** One model; its column list is the mapping's, in order. */
export function dbtModel(table: TableMapping, tables: readonly TableMapping[] = [table]): string {
  const columns = table.columns.map((column) => `    ${jinjaSafe(transformSql(column))} as ${jinjaSafe(quoteIdentifier(column.target))}`)
  const where = table.filter === null ? [] : [`where ${jinjaSafe(filterSql(table.filter))}`]
  return [
    `{{ config(materialized='table', alias=${jinjaString(table.target.name)}, schema=${jinjaString(table.target.schema)}) }}`,
    `-- ${yamlSafe(commentText(`${table.source.schema}.${table.source.name}`))} to ${yamlSafe(commentText(`${table.target.schema}.${table.target.name}`))}`,
    'select',
    columns.join(',\n'),
    `from {{ source('${sourceName(tables, sourceRelation(table).schema)}', '${table.table_id}') }}`,
    ...where,
    '',
  ].join('\n')
}

/** A Jinja string: every character beyond letters, digits, `_` and space is escaped, so it cannot end early. */
function jinjaString(text: string): string {
  const escaped = [...text].map((character) => {
    if (/[A-Za-z0-9_ ]/.test(character)) return character
    const code = character.codePointAt(0) ?? 0
    return code > 0xffff ? `\\U${code.toString(16).padStart(8, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`
  })
  return `'${escaped.join('')}'`
}

/** Tests: NOT NULL, key uniqueness, foreign keys. An unvalidated foreign key warns, since orphans came along on purpose. */
export function dbtSchema(tables: readonly TableMapping[]): string {
  const models = tables.map((table) => ({
    name: table.table_id,
    columns: table.columns.map((column) => {
      const single = table.key?.length === 1 && table.key[0] === column.target
      const foreign = table.foreign_keys.filter((candidate) => candidate.columns.length === 1 && candidate.columns[0] === column.target)
      const tests = [
        ...(column.nullable ? [] : ['not_null']),
        ...(single ? ['unique'] : []),
        ...foreign.map((candidate) => ({
          relationships: {
            to: `ref('${candidate.references.table}')`,
            field: yamlSafe(candidate.references.columns[0] ?? ''),
            config: { severity: candidate.enforcement === 'enforced' ? 'error' : 'warn' },
          },
        })),
      ]
      return {
        name: yamlSafe(column.target),
        quote: true,
        data_type: column.target_type,
        ...(tests.length > 0 ? { data_tests: tests } : {}),
      }
    }),
  }))
  return stringify({ version: 2, models }, { lineWidth: 0, aliasDuplicateObjects: false })
}

/** Tests over several columns, which dbt has no built-in form for: each selects what must not exist. */
export function dbtTests(tables: readonly TableMapping[]): { path: string; content: string }[] {
  return tables.flatMap((table) => {
    const key = table.key
    const own = `{{ ref('${table.table_id}') }}`
    const keyTest =
      key === null || key.length < 2
        ? []
        : [
            {
              path: `${table.table_id}_key.sql`,
              content: `-- Rows that share a key.\nselect ${names(key)}\nfrom ${own}\ngroup by ${names(key)}\nhaving count(*) > 1\n`,
            },
          ]
    const foreignTests = table.foreign_keys.flatMap((foreign, index) => {
      if (foreign.columns.length < 2) return []
      const on = foreign.columns
        .map((column, at) => `${names([column], 'a.')} = ${names([foreign.references.columns[at] ?? ''], 'b.')}`)
        .join(' and ')
      const present = foreign.columns.map((column) => `${names([column], 'a.')} is not null`).join(' and ')
      const config = foreign.enforcement === 'enforced' ? '' : `{{ config(severity='warn') }}\n`
      return [
        {
          path: `${table.table_id}_foreign_key_${index + 1}.sql`,
          content: `${config}-- Rows without the row they refer to.\nselect a.*\nfrom ${own} a\nwhere ${present}\n  and not exists (select 1 from {{ ref('${foreign.references.table}') }} b where ${on})\n`,
        },
      ]
    })
    return [...keyTest, ...foreignTests]
  })
}

function names(columns: readonly string[], prefix = ''): string {
  return columns.map((column) => prefix + jinjaSafe(quoteIdentifier(column))).join(', ')
}
