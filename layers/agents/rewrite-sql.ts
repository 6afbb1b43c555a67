import { visible } from '../core/approval-page/visible-text.ts'
import type { TableMapping } from '../core/schemas/proposal.ts'
import { filterSql, quoteIdentifier, quoteQualified, transformSql } from '../core/sql-text.ts'
import { sqlType } from '../core/sql-type.ts'
import { tableIds } from '../core/table-id.ts'

/** A name inside a one-line SQL or YAML comment: line ends and hidden characters become visible, so the comment cannot end early. */
export function commentText(text: string, limit = 300): string {
  return visible(text, limit)
}

/** `SELECT …` that makes a target table's rows, one column a line, without a semicolon. `from` is the quoted relation. */
export function selectText(table: TableMapping, from: string): string {
  const columns = table.columns.map((column) => `  ${transformSql(column)} AS ${quoteIdentifier(column.target)}`)
  const where = table.filter === null ? '' : `\nWHERE ${filterSql(table.filter)}`
  return `SELECT\n${columns.join(',\n')}\nFROM ${from}${where}`
}

/** The relation rows are read from. A file is read from a table of the same name, loaded beforehand; its name is the table's id. */
export function sourceRelation(table: TableMapping): { schema: string; name: string } {
  return table.source.kind === 'file' ? { schema: 'files', name: table.table_id } : { schema: table.source.schema, name: table.source.name }
}

export function transformFile(table: TableMapping): string {
  const columns = table.columns.map((column) => quoteIdentifier(column.target)).join(', ')
  const from = quoteQualified(sourceRelation(table))
  return [
    `-- ${commentText(`${table.source.schema}.${table.source.name}`)} to ${commentText(`${table.target.schema}.${table.target.name}`)}`,
    ...table.columns.map(
      (column) =>
        `--   ${commentText(column.target, 100)}: rule ${column.rule}${column.lossy ? ', loses information' : ''}${column.pii ? ', personal data' : ''}`,
    ),
    `INSERT INTO ${quoteQualified(table.target)} (${columns})`,
    `${selectText(table, from)};`,
    '',
  ].join('\n')
}

/** Characters of one file at most: who reviews a change reads no more, and a file of a pull request holds no more than a million. */
const FILE_LENGTH = 500_000

/** Texts in their order, joined into as few files as hold them; a text longer than a file has one of its own. */
export function filesOf(texts: readonly string[]): string[] {
  const files: string[][] = []
  let length = FILE_LENGTH
  for (const text of texts) {
    if (length + text.length > FILE_LENGTH) {
      files.push([])
      length = 0
    }
    files.at(-1)?.push(text)
    length += text.length + 2
  }
  return files.map((file) => `${file.map((text) => text.trimEnd()).join('\n\n')}\n`)
}

/** Schemas, tables, then keys, then foreign keys: the order in which they can be made, the files one after another. */
export function ddlFiles(tables: readonly TableMapping[]): string[] {
  const schemas = [...new Set(tables.map((table) => table.target.schema))].map(
    (schema) => `CREATE SCHEMA IF NOT EXISTS ${quoteIdentifier(schema)};`,
  )
  const byId = new Map(tableIds(tables.map((table) => table.target)).map((id, at) => [id, tables[at]]))
  const creates = tables.map((table) => {
    const columns = table.columns.map(
      (column) => `  ${quoteIdentifier(column.target)} ${sqlType(column.target_type)}${column.nullable ? '' : ' NOT NULL'}`,
    )
    return `CREATE TABLE ${quoteQualified(table.target)} (\n${columns.join(',\n')}\n);`
  })
  const keys = tables.flatMap((table) =>
    table.key === null ? [] : [`ALTER TABLE ${quoteQualified(table.target)} ADD PRIMARY KEY (${list(table.key)});`],
  )
  const foreignKeys = tables.flatMap((table) =>
    table.foreign_keys.flatMap((foreign) => {
      const referenced = byId.get(foreign.references.table)
      if (referenced === undefined || foreign.enforcement === 'none') return []
      const suffix = foreign.enforcement === 'unvalidated' ? ' NOT VALID' : ''
      return [
        `ALTER TABLE ${quoteQualified(table.target)} ADD FOREIGN KEY (${list(foreign.columns)}) REFERENCES ${quoteQualified(referenced.target)} (${list(foreign.references.columns)})${suffix};`,
      ]
    }),
  )
  const about = '-- Tables of the target. Made by Waybill for review; Waybill makes them itself when the plan is executed.'
  return filesOf([about, ...schemas, ...creates, ...keys, ...foreignKeys])
}

function list(columns: readonly string[]): string {
  return columns.map(quoteIdentifier).join(', ')
}
