import { type RewriteProposal, rewriteProposal, type SchemaMapping } from '../core/schemas/proposal.ts'
import type { SystemType } from '../core/schemas/spec.ts'
import type { Agent, Conclusion } from './agent.ts'
import { dbtModel, dbtSchema, dbtSources, dbtTests } from './rewrite-dbt.ts'
import { commentText, ddlFiles, filesOf, transformFile } from './rewrite-sql.ts'

export type RewriteFacts = { mapping: SchemaMapping; migration_id: string; title: string; source_system_type: SystemType }

/** Files for the pull request: what the target's tables are, how each is made from the source, and dbt models that keep saying so. */
export const rewriteAgent: Agent<RewriteFacts, typeof rewriteProposal> = {
  name: 'rewrite',
  schema: rewriteProposal,
  question: 'Which of these transforms would a reader of the models misunderstand?',
  propose,
}

/**
 * Above this many tables there is no file for each: a pull request of twenty thousand files is read by nobody, and no host shows it. The SQL of all
 * of them stands in few large files, and the dbt models, which need a file each, are left out and said to be.
 */
const TABLES_WITH_OWN_FILES = 500

function propose(facts: RewriteFacts): Conclusion<RewriteProposal> {
  const { tables } = facts.mapping
  const root = `migrations/${facts.migration_id.toLowerCase()}`
  const few = tables.length <= TABLES_WITH_OWN_FILES
  const numbered = (folder: string, name: string, contents: readonly string[]) =>
    contents.map((content, at) => ({ path: `${root}/${folder}/${String(at + 1).padStart(3, '0')}_${name}.sql`, content }))
  const files = [
    { path: `${root}/README.md`, content: readme(facts) },
    ...numbered('ddl', 'tables', ddlFiles(tables)),
    ...(few
      ? tables.map((table) => ({ path: `${root}/transform/${table.table_id}.sql`, content: transformFile(table) }))
      : numbered('transform', 'tables', filesOf(tables.map(transformFile)))),
    ...(few ? dbtFiles(tables, `${root}/dbt`) : []),
  ]
  return {
    proposal: { files },
    methodology:
      'Each table of the mapping gives its DDL, one SELECT that makes its rows, and one dbt model with tests for keys, NULLs and foreign keys. All are rendered from the same mapping that the plan executes; Waybill itself never runs these files.',
    citations: tables.flatMap((_, index) => [
      { fact: 'mapping', pointer: `/tables/${index}/columns`, says: 'Columns, types and transforms.' },
      { fact: 'mapping', pointer: `/tables/${index}/foreign_keys`, says: 'Foreign keys and their tests.' },
    ]),
    confidence: facts.source_system_type === 'POSTGRESQL' ? 0.95 : 0.8,
    limitations: [
      'The SQL is PostgreSQL. A dbt project that runs elsewhere needs its own adapter.',
      'Views, procedures and application code that name the old tables are not rewritten.',
      ...(few ? [] : [`Above ${TABLES_WITH_OWN_FILES} tables no dbt models are written, and the SQL of many tables shares a file.`]),
      ...(facts.source_system_type === 'POSTGRESQL'
        ? []
        : ['The source is files: load them into the source schema before the models run.']),
    ],
  }
}

function dbtFiles(tables: SchemaMapping['tables'], folder: string): RewriteProposal['files'] {
  return [
    { path: `${folder}/models/sources.yml`, content: dbtSources(tables) },
    { path: `${folder}/models/schema.yml`, content: dbtSchema(tables) },
    ...tables.map((table) => ({ path: `${folder}/models/${table.table_id}.sql`, content: dbtModel(table, tables) })),
    ...dbtTests(tables).map((file) => ({ path: `${folder}/tests/${file.path}`, content: file.content })),
  ]
}

function readme(facts: RewriteFacts): string {
  const { tables } = facts.mapping
  const few = tables.length <= TABLES_WITH_OWN_FILES
  const lines = tables
    .slice(0, TABLES_WITH_OWN_FILES)
    .map(
      (table) =>
        `| ${cell(`${table.source.schema}.${table.source.name}`)} | ${cell(`${table.target.schema}.${table.target.name}`)} | ${table.columns.length} | ${table.key === null ? 'none' : cell(table.key.join(', '))} |`,
    )
  return [
    `# ${commentText(facts.title, 200).replace(/[<>[\]`*_#|]/g, '')}`,
    '',
    'Made by Waybill from the approved mapping. Review it as you would any change; nothing here has been executed from this branch.',
    '',
    '| source | target | columns | key |',
    '|---|---|---|---|',
    ...lines,
    '',
    ...(few ? [] : [`And ${tables.length - lines.length} more tables, in \`ddl/\`.`, '']),
    '- `ddl/`: tables, keys and foreign keys of the target, in the order of the files.',
    '- `transform/`: one SELECT a table, from the source to the target.',
    ...(few ? ['- `dbt/models/`: the same as dbt models, with tests.'] : []),
    '',
  ].join('\n')
}

/** A name inside a Markdown table: no markup of its own survives. */
function cell(text: string): string {
  return commentText(text, 200).replace(/[<>[\]`*_#|\\!&~]/g, (character) => `&#${character.charCodeAt(0)};`)
}
