import type { TableRef } from '../../core/connector.ts'
import { WaybillError } from '../../core/errors.ts'
import type { Catalog, CatalogColumn, CatalogTable } from '../../core/schemas/catalog.ts'
import type { Ask } from './ask.ts'
import { readDetails } from './catalog-details.ts'
import { CONTROL_SCHEMA, CONTROL_TABLES } from './checkpoint.ts'

const USER_SCHEMAS = `n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'`

/** The locale's column in pg_database has had three names. */
const SERVER = `
SELECT current_setting('server_version') AS version, d.datname AS database,
       CASE coalesce(to_jsonb(d) ->> 'datlocprovider', 'c') WHEN 'i' THEN 'icu ' WHEN 'b' THEN 'builtin ' ELSE 'libc ' END ||
       coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale', to_jsonb(d) ->> 'datcollate') AS collation
  FROM pg_database d WHERE d.datname = current_database()`

const OBJECTS = `
SELECT c.oid::text AS oid, n.nspname AS schema, c.relname AS name, c.relkind::text AS kind, obj_description(c.oid, 'pg_class') AS comment,
       greatest(c.reltuples, 0)::numeric(38, 0)::text AS rows,
       CASE WHEN c.relkind IN ('r', 'm', 'p') THEN pg_table_size(c.oid) ELSE 0 END::text AS bytes, c.relispartition::text AS partition,
       CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END AS partition_key,
       CASE WHEN c.relrowsecurity THEN CASE WHEN c.relforcerowsecurity THEN 'forced' ELSE 'on' END ELSE 'off' END AS row_security
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND `

const COLUMNS = `
SELECT a.attrelid::text AS oid, a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type, (NOT a.attnotnull)::text AS nullable,
       CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END AS "default", (a.attgenerated <> '')::text AS generated,
       CASE WHEN a.attgenerated <> '' THEN pg_get_expr(d.adbin, d.adrelid) END AS generation, (a.attgenerated = 's')::text AS stored,
       (a.attidentity <> '')::text AS identity, CASE a.attidentity WHEN 'a' THEN 'always' WHEN 'd' THEN 'by-default' END AS identity_kind, CASE WHEN a.attcollation <> t.typcollation THEN co.collname END AS collation,
       col_description(a.attrelid, a.attnum) AS comment,
       CASE e.typtype
         WHEN 'e' THEN (SELECT '(' || string_agg(quote_literal(l.enumlabel), ', ' ORDER BY l.enumsortorder) || ')' FROM pg_enum l WHERE l.enumtypid = e.oid)
         WHEN 'd' THEN format_type(e.typbasetype, e.typtypmod) || CASE WHEN e.typnotnull THEN ' NOT NULL' ELSE '' END ||
           coalesce(' DEFAULT ' || e.typdefault, '') ||
           coalesce((SELECT string_agg(' ' || pg_get_constraintdef(k.oid), '' ORDER BY pg_get_constraintdef(k.oid) COLLATE "C")
                       FROM pg_constraint k WHERE k.contypid = e.oid AND k.contype = 'c'), '')
         WHEN 'c' THEN (SELECT '(' || string_agg(quote_ident(f.attname) || ' ' || format_type(f.atttypid, f.atttypmod), ', ' ORDER BY f.attnum) || ')'
                          FROM pg_attribute f WHERE f.attrelid = e.typrelid AND f.attnum > 0 AND NOT f.attisdropped)
       END AS type_definition
  FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
  JOIN pg_type e ON e.oid = CASE WHEN t.typcategory = 'A' AND t.typelem <> 0 THEN t.typelem ELSE t.oid END LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  LEFT JOIN pg_collation co ON co.oid = a.attcollation
 WHERE a.attrelid = ANY ($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
 ORDER BY a.attrelid, a.attnum`

const CONSTRAINTS = `
SELECT k.conrelid::text AS oid, k.contype::text AS kind, k.conname AS name, k.convalidated::text AS validated, pg_get_constraintdef(k.oid) AS definition,
       (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY u.n) FROM unnest(k.conkey) WITH ORDINALITY u(attnum, n)
          JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum) AS quoted_columns,
       quote_ident(fn.nspname) || '.' || quote_ident(fc.relname) AS quoted_reference,
       (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY u.n) FROM unnest(k.confkey) WITH ORDINALITY u(attnum, n)
          JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.attnum) AS quoted_ref_columns,
       CASE WHEN k.contype = 'c' THEN pg_get_expr(k.conbin, k.conrelid) END AS expression,
       (SELECT json_agg(a.attname ORDER BY u.n) FROM unnest(k.conkey) WITH ORDINALITY u(attnum, n)
          JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum)::text AS columns,
       (SELECT bool_or(NOT a.attnotnull) FROM pg_attribute a WHERE a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey))::text AS nullable,
       fn.nspname AS ref_schema, fc.relname AS ref_name,
       (SELECT json_agg(a.attname ORDER BY u.n) FROM unnest(k.confkey) WITH ORDINALITY u(attnum, n)
          JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.attnum)::text AS ref_columns
  FROM pg_constraint k LEFT JOIN pg_class fc ON fc.oid = k.confrelid LEFT JOIN pg_namespace fn ON fn.oid = fc.relnamespace
 WHERE k.conrelid = ANY ($1::oid[]) AND k.contype IN ('p', 'u', 'f', 'c')
   -- A key to a partitioned table has one more entry for each partition referred to.
   AND NOT EXISTS (SELECT FROM pg_constraint up WHERE up.oid = k.conparentid AND up.conrelid = k.conrelid)
 ORDER BY k.conrelid, k.conname COLLATE "C"`

const INDEXES = `
SELECT i.indrelid::text AS oid, c.relname AS name, pg_get_indexdef(i.indexrelid) AS definition, i.indisunique::text AS "unique",
       (i.indisvalid AND i.indisready)::text AS valid, m.amname AS method, pg_get_expr(i.indpred, i.indrelid) AS predicate,
       quote_ident(c.relname) AS quoted, quote_ident(n.nspname) || '.' || quote_ident(t.relname) AS owner,
       EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = c.oid AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u', 'x'))::text AS "constraint"
  FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam
  JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace n ON n.oid = t.relnamespace
 WHERE i.indrelid = ANY ($1::oid[])
 ORDER BY i.indrelid, c.relname COLLATE "C"`

const PARTITIONS = `
SELECT h.inhparent::text AS oid, c.relname AS name
  FROM pg_inherits h JOIN pg_class c ON c.oid = h.inhrelid
 WHERE h.inhparent = ANY ($1::oid[]) AND c.relispartition
 ORDER BY h.inhparent, c.relname COLLATE "C"`

/** Of every degree: the rows of heirs of heirs are read with a table too. */
const HEIRS = `
WITH RECURSIVE heir (root, child) AS (
  SELECT h.inhparent, h.inhrelid FROM pg_inherits h JOIN pg_class c ON c.oid = h.inhrelid
   WHERE h.inhparent = ANY ($1::oid[]) AND NOT c.relispartition
  UNION
  SELECT r.root, h.inhrelid FROM heir r JOIN pg_inherits h ON h.inhparent = r.child)
SELECT r.root::text AS oid, quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS name
  FROM heir r JOIN pg_class c ON c.oid = r.child JOIN pg_namespace n ON n.oid = c.relnamespace
 ORDER BY r.root, n.nspname COLLATE "C", c.relname COLLATE "C"`

const KINDS: Record<string, CatalogTable['kind']> = { r: 'table', p: 'partitioned', v: 'view', m: 'materialized-view', f: 'foreign' }

/**
 * Facts about the tables in `scope`, from pg_catalog in a fixed number of queries, and the furthest value of
 * each column that a sequence feeds. An empty scope is every user table that is not itself a
 * partition and not one in which Waybill marks its own migrations. `estimated_rows` is the planner's figure and never a count.
 * @throws NOT_FOUND naming each missing table and tables with a similar name
 */
export async function readCatalog(ask: Ask, scope: readonly TableRef[]): Promise<Catalog> {
  const [server] = await ask(SERVER)
  const objects = scope.length === 0 ? await everyTable(ask) : await namedTables(ask, scope)
  const oids = [objects.map((row) => row.oid)]
  const columns = byOid(await ask(COLUMNS, oids))
  const constraints = byOid(await ask(CONSTRAINTS, oids))
  const indexes = byOid(await ask(INDEXES, oids))
  const partitions = byOid(await ask(PARTITIONS, oids))
  const heirs = byOid(await ask(HEIRS, oids))
  const details = await readDetails(ask, oids[0] ?? [])
  return {
    system_type: 'POSTGRESQL',
    server_version: text(server?.version),
    database: text(server?.database),
    tables: objects.map((row) => {
      const oid = text(row.oid)
      const table = tableOf(row, columns.get(oid) ?? [], constraints.get(oid) ?? [], indexes.get(oid) ?? [], partitions.get(oid) ?? [])
      const inherited = heirs.has(oid) ? { inherited_by: heirs.get(oid)?.map(({ name }) => text(name)) } : {}
      return { ...table, ...inherited, ...details(oid), default_collation: text(server?.collation) }
    }),
  }
}

type Row = Record<string, string | null>

function tableOf(row: Row, columns: Row[], constraints: Row[], indexes: Row[], partitions: Row[]): CatalogTable {
  const of = (kind: string) => constraints.filter((constraint) => constraint.kind === kind)
  const primary = of('p')[0]
  return {
    schema: text(row.schema),
    name: text(row.name),
    kind: KINDS[text(row.kind)] ?? 'table',
    comment: row.comment ?? null,
    columns: columns.map(columnOf),
    primary_key: primary ? names(primary.columns) : null,
    primary_key_definition: primary ? text(primary.definition) : null,
    unique_keys: of('u').map((key) => ({
      name: text(key.name),
      columns: names(key.columns),
      nullable: key.nullable === 'true',
      definition: text(key.definition),
    })),
    foreign_keys: of('f').map((key) => ({
      name: text(key.name),
      columns: names(key.columns),
      references: { schema: text(key.ref_schema), name: text(key.ref_name), columns: names(key.ref_columns) },
      validated: key.validated === 'true',
      ...rules(key, `FOREIGN KEY (${key.quoted_columns}) REFERENCES ${key.quoted_reference}(${key.quoted_ref_columns})`),
    })),
    checks: of('c').map((check) => ({
      name: text(check.name),
      expression: text(check.expression),
      ...rules(check, `CHECK (${check.expression})`),
    })),
    indexes: indexes.map((index) => ({
      name: text(index.name),
      definition: text(index.definition),
      unique: index.unique === 'true',
      valid: index.valid === 'true',
      method: text(index.method),
      predicate: index.predicate ?? null,
      ...shape(index),
      constraint: index.constraint === 'true',
    })),
    partitions: partitions.map((partition) => text(partition.name)),
    partition_key: row.partition_key ?? null,
    row_security: row.row_security === 'on' || row.row_security === 'forced' ? row.row_security : 'off',
    estimated_rows: text(row.rows),
    bytes: text(row.bytes),
  }
}

function columnOf(row: Row): CatalogColumn {
  return {
    name: text(row.name),
    type: text(row.type),
    nullable: row.nullable === 'true',
    default: row.default ?? null,
    generated: row.generated === 'true',
    identity: row.identity === 'true',
    collation: row.collation ?? null,
    comment: row.comment ?? null,
    type_definition: row.type_definition ?? null,
    generation: row.generated === 'true' ? { expression: text(row.generation), stored: row.stored === 'true' } : null,
    identity_kind: row.identity_kind === 'always' || row.identity_kind === 'by-default' ? row.identity_kind : null,
  }
}

/** What follows `head` in a constraint's definition. Left out where the server prints the head otherwise: then nobody knows. */
function rules(row: Row, head: string): { rules?: string } {
  const definition = text(row.definition)
  return definition.startsWith(head) ? { rules: definition.slice(head.length).trim() } : {}
}

/** The definition from `USING` on. The names before it are known exactly, so a name that holds ` USING ` cuts nothing. */
function shape(row: Row): { shape?: string } {
  const definition = text(row.definition)
  const heads = ['', 'UNIQUE '].flatMap((unique) =>
    ['', 'ONLY '].map((only) => `CREATE ${unique}INDEX ${row.quoted} ON ${only}${row.owner} `),
  )
  const head = heads.find((candidate) => definition.startsWith(candidate))
  return head === undefined ? {} : { shape: definition.slice(head.length) }
}

const COLUMN_LIST = `(SELECT string_agg(a.attname, ',' ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)`
const OWN = CONTROL_TABLES.map(([name, columns]) => `('${name}', '${columns}')`).join(', ')

async function everyTable(ask: Ask): Promise<Row[]> {
  return ask(`${OBJECTS} ${USER_SCHEMAS} AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    AND NOT (n.nspname = '${CONTROL_SCHEMA}' AND (c.relname::text, ${COLUMN_LIST}) IN (${OWN})) ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"`)
}

async function namedTables(ask: Ask, scope: readonly TableRef[]): Promise<Row[]> {
  const wanted = [scope.map((table) => table.schema), scope.map((table) => table.name)]
  const rows = await ask(`${OBJECTS} (n.nspname, c.relname) IN (SELECT * FROM unnest($1::text[], $2::text[]))`, wanted)
  const found = new Map(rows.map((row) => [key(text(row.schema), text(row.name)), row]))
  const missing = scope.filter((table) => !found.has(key(table.schema, table.name)))
  if (missing.length > 0) throw await notFound(ask, missing)
  const distinct = new Map(scope.map((table) => [key(table.schema, table.name), table]))
  return [...distinct.keys()].flatMap((name) => [found.get(name)].filter((row) => row !== undefined))
}

async function notFound(ask: Ask, missing: readonly TableRef[]): Promise<WaybillError> {
  const rows = await ask(
    `SELECT n.nspname AS schema, c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND ${USER_SCHEMAS} ORDER BY 1, 2 LIMIT 20000`,
  )
  const details = missing.map((table) => {
    const like = rows
      .map((row) => ({ shown: `${row.schema}.${row.name}`, distance: nearness(table, { schema: text(row.schema), name: text(row.name) }) }))
      .filter((candidate) => candidate.distance <= Math.max(2, Math.ceil(table.name.length / 3)))
      .sort((a, b) => a.distance - b.distance || (a.shown < b.shown ? -1 : 1))
      .slice(0, 5)
      .map((candidate) => candidate.shown)
    const hint = like.length > 0 ? `similar: ${like.join(', ')}` : 'no table of this database has a similar name'
    return `${table.schema}.${table.name} does not exist or cannot be seen by this role; ${hint}`
  })
  const shown = details.slice(0, 3).join('. ')
  return new WaybillError('NOT_FOUND', `${shown}. Correct the name (case counts), or grant this role USAGE and SELECT.`, { details })
}

/** Levenshtein distance of the folded names, one more for another schema. Bounded by 63-byte names. */
function nearness(a: TableRef, b: TableRef): number {
  const [left, right] = [a.name.toLowerCase(), b.name.toLowerCase()]
  let previous = Array.from({ length: right.length + 1 }, (_, index) => index)
  for (let i = 1; i <= left.length; i++) {
    const current = [i]
    for (let j = 1; j <= right.length; j++) {
      const change = (previous[j - 1] ?? 0) + (left[i - 1] === right[j - 1] ? 0 : 1)
      current.push(Math.min(change, (previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1))
    }
    previous = current
  }
  return (previous[right.length] ?? 0) + (a.schema === b.schema ? 0 : 1)
}

const key = (schema: string, name: string) => JSON.stringify([schema, name])
const text = (value: string | null | undefined): string => value ?? ''
const names = (json: string | null | undefined): string[] => (json ? (JSON.parse(json) as string[]) : [])

function byOid(rows: Row[]): Map<string, Row[]> {
  return Map.groupBy(rows, (row) => text(row.oid))
}
