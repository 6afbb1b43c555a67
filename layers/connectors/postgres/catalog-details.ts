import type { CatalogSequence, CatalogTable } from '../../core/schemas/catalog.ts'
import { quoteIdentifier, quoteQualified } from '../../core/sql-text.ts'
import type { Ask } from './ask.ts'

const PARTITION_BOUNDS = `
WITH RECURSIVE part AS (
  SELECT h.inhparent AS root, h.inhrelid AS child, ''::text COLLATE "C" AS above FROM pg_inherits h JOIN pg_class c ON c.oid = h.inhrelid
   WHERE h.inhparent = ANY ($1::oid[]) AND c.relispartition
  UNION ALL
  SELECT p.root, h.inhrelid, (p.above || pg_get_expr(c.relpartbound, c.oid) || ' · ' || pg_get_partkeydef(c.oid) || ' ') COLLATE "C"
    FROM part p JOIN pg_class c ON c.oid = p.child AND c.relkind = 'p' JOIN pg_inherits h ON h.inhparent = p.child)
SELECT p.root::text AS oid, c.relname AS name, p.above || pg_get_expr(c.relpartbound, c.oid) AS definition
  FROM part p JOIN pg_class c ON c.oid = p.child ORDER BY 1, c.relname COLLATE "C"`

const EXCLUSIONS = `
SELECT k.conrelid::text AS oid, k.conname AS name, pg_get_constraintdef(k.oid) AS definition
  FROM pg_constraint k WHERE k.conrelid = ANY ($1::oid[]) AND k.contype = 'x' ORDER BY 1, k.conname COLLATE "C"`

const TRIGGERS = `
SELECT t.tgrelid::text AS oid, t.tgname AS name, pg_get_triggerdef(t.oid) AS definition, quote_ident(t.tgname) AS quoted,
       quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS owner, t.tgenabled::text AS enabled
  FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE t.tgrelid = ANY ($1::oid[]) AND NOT t.tgisinternal ORDER BY 1, t.tgname COLLATE "C"`

const POLICIES = `
SELECT p.polrelid::text AS oid, p.polname AS name,
       CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END || ' FOR ' ||
       CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END || ' TO ' ||
       CASE WHEN p.polroles = '{0}'::oid[] THEN 'PUBLIC'
            ELSE (SELECT string_agg(quote_ident(r.rolname), ', ' ORDER BY r.rolname COLLATE "C") FROM pg_roles r WHERE r.oid = ANY (p.polroles)) END ||
       coalesce(' USING (' || pg_get_expr(p.polqual, p.polrelid) || ')', '') ||
       coalesce(' WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')', '') AS definition
  FROM pg_policy p WHERE p.polrelid = ANY ($1::oid[]) ORDER BY 1, p.polname COLLATE "C"`

/**
 * Sequences that a column owns, or that its default takes values from. A column's furthest value is asked for only where an index gives
 * it at once; a sequence or a column that this role may not read leaves its figure out.
 */
const SEQUENCES = `
SELECT DISTINCT ON (u.oid, u.attnum, u.sequence) u.oid::text AS oid, tn.nspname AS table_schema, tc.relname AS table_name, a.attname AS column,
       n.nspname AS schema, s.relname AS name, u.owned::text AS owned, format_type(q.seqtypid, NULL) AS type, q.seqstart::text AS start,
       q.seqincrement::text AS increment, q.seqmin::text AS min, q.seqmax::text AS max, q.seqcycle::text AS cycle,
       (has_sequence_privilege(s.oid, 'SELECT') OR has_sequence_privilege(s.oid, 'USAGE'))::text AS seen,
       CASE WHEN has_sequence_privilege(s.oid, 'SELECT') OR has_sequence_privilege(s.oid, 'USAGE')
            THEN pg_sequence_last_value(s.oid)::text END AS last_value,
       (has_column_privilege(u.oid, u.attnum, 'SELECT') AND has_schema_privilege(tn.oid, 'USAGE') AND NOT tc.relrowsecurity AND EXISTS (
         SELECT FROM pg_index i JOIN pg_class ic ON ic.oid = i.indexrelid JOIN pg_am m ON m.oid = ic.relam
          WHERE i.indrelid = u.oid AND i.indisvalid AND i.indisready AND i.indpred IS NULL AND i.indkey[0] = u.attnum AND m.amname = 'btree'))::text AS indexed
  FROM (SELECT d.refobjid AS oid, d.refobjsubid::int2 AS attnum, d.objid AS sequence, true AS owned FROM pg_depend d
         WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
           AND d.refobjid = ANY ($1::oid[])
        UNION ALL
        SELECT f.adrelid, f.adnum, d.refobjid, false FROM pg_attrdef f
          JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid AND d.refclassid = 'pg_class'::regclass
         WHERE f.adrelid = ANY ($1::oid[])) u
  JOIN pg_class s ON s.oid = u.sequence AND s.relkind = 'S' JOIN pg_namespace n ON n.oid = s.relnamespace
  JOIN pg_sequence q ON q.seqrelid = s.oid
  JOIN pg_attribute a ON a.attrelid = u.oid AND a.attnum = u.attnum
  JOIN pg_class tc ON tc.oid = u.oid JOIN pg_namespace tn ON tn.oid = tc.relnamespace
 ORDER BY u.oid, u.attnum, u.sequence, u.owned DESC`

export type CatalogDetails = Required<Pick<CatalogTable, 'partition_bounds' | 'exclusions' | 'triggers' | 'policies' | 'sequences'>>

type Row = Record<string, string | null>

/** What `readCatalog` adds to a table's columns, keys and indexes, by the table's oid. @throws the codes of `ask` */
export async function readDetails(ask: Ask, oids: readonly (string | null | undefined)[]): Promise<(oid: string) => CatalogDetails> {
  const by = async (sql: string) => Map.groupBy(await ask(sql, [oids]), (row) => row.oid ?? '')
  const bounds = await by(PARTITION_BOUNDS)
  const exclusions = await by(EXCLUSIONS)
  const triggers = await by(TRIGGERS)
  const policies = await by(POLICIES)
  const found = await ask(SEQUENCES, [oids])
  const sequences = new Map<string, CatalogSequence[]>()
  for (const row of found) {
    const oid = row.oid ?? ''
    sequences.set(oid, [...(sequences.get(oid) ?? []), await sequenceOf(ask, row)])
  }
  const plain = (rows: Row[] | undefined) => (rows ?? []).map((row) => ({ name: row.name ?? '', definition: row.definition ?? '' }))
  return (oid) => ({
    partition_bounds: plain(bounds.get(oid)),
    exclusions: plain(exclusions.get(oid)),
    triggers: (triggers.get(oid) ?? []).map((row) => ({ name: row.name ?? '', definition: triggerShape(row) })),
    policies: plain(policies.get(oid)),
    sequences: sequences.get(oid) ?? [],
  })
}

async function sequenceOf(ask: Ask, row: Row): Promise<CatalogSequence> {
  const reached = row.indexed === 'true' ? await furthest(ask, row) : undefined
  return {
    schema: row.schema ?? '',
    name: row.name ?? '',
    column: row.column ?? '',
    owned: row.owned === 'true',
    type: row.type ?? '',
    start: row.start ?? '',
    increment: row.increment ?? '',
    min: row.min ?? '',
    max: row.max ?? '',
    cycle: row.cycle === 'true',
    ...(row.seen === 'true' ? { last_value: row.last_value ?? null } : {}),
    ...(reached === undefined ? {} : { reached }),
  }
}

/** One look at the end of an index. */
async function furthest(ask: Ask, row: Row): Promise<string | null> {
  const column = quoteIdentifier(row.column ?? '')
  const table = quoteQualified({ schema: row.table_schema ?? '', name: row.table_name ?? '' })
  const [found] = await ask(`SELECT ${row.increment?.startsWith('-') ? 'min' : 'max'}(${column})::text AS reached FROM ${table}`)
  return found?.reached ?? null
}

/** Timing, events and function without the names of trigger and table; switched off or restricted to a replica is said. */
function triggerShape(row: Row): string {
  const definition = row.definition ?? ''
  const named = new Set([`CREATE TRIGGER ${row.quoted} `, `CREATE CONSTRAINT TRIGGER ${row.quoted} `])
  const start = [...named].find((prefix) => definition.startsWith(prefix))
  const on = ` ON ${row.owner} `
  const at = definition.indexOf(on, start?.length ?? 0)
  const enabled = { O: '', D: ' DISABLED', R: ' ON REPLICA ONLY', A: ' ALWAYS' }[row.enabled ?? 'O'] ?? ''
  if (start === undefined || at === -1) return definition + enabled
  return `${definition.slice(start.length, at)} ${definition.slice(at + on.length)}${start.includes('CONSTRAINT') ? ' CONSTRAINT' : ''}${enabled}`
}
