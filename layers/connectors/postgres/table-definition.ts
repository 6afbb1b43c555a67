import { digestOf } from '../../core/canonical-json.ts'
import type { TableRef } from '../../core/connector.ts'
import { WaybillError } from '../../core/errors.ts'
import type { SystemIdentity } from '../../core/schemas/identity.ts'
import { isSnapshot, type OpenSides, type SnapshotSide } from './snapshot.ts'
import { quoteLiteral } from './sql.ts'

/**
 * Everything the catalog says about what a name's rows are: the relation, what inherits from it, what its views read, the functions and policies
 * they use, and the types of all columns; `kind` and `id` tell the parts apart, `sha256` is over what the catalog says of one.
 */
export type DefinitionPart = { kind: string; id: string; name: string; sha256: string }

/** pg_class, pg_proc, pg_type, pg_rewrite, pg_policy and pg_attrdef; their numbers are the same in every database. */
const [CLASS, PROC, TYPE, REWRITE, POLICY, ATTRDEF] = [1259, 1255, 1247, 2618, 3256, 2604]
/** Objects below this number are the server's own. */
const FIRST_OWN = 16_384

const behind = (catalog: number, from: string, own: string) =>
  `SELECT d.refclassid, d.refobjid FROM ${from} JOIN pg_depend d ON d.classid = ${catalog} AND d.objid = o.oid
    WHERE p.class = ${CLASS} AND ${own} = p.oid AND d.refclassid IN (${CLASS}, ${PROC})`

/** `also`: relations of which nobody knows by name, because a function read them. */
function definitionSql(table: TableRef, also: readonly string[]): string {
  const sha = (of: string) => `encode(sha256(convert_to((${of})::text, 'UTF8')), 'hex')`
  return `
WITH RECURSIVE part(class, oid) AS (
  SELECT ${CLASS}::oid, c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE n.nspname = ${quoteLiteral(table.schema)} AND c.relname = ${quoteLiteral(table.name)}
  UNION SELECT ${CLASS}::oid, unnest('{${also.join(',')}}'::oid[])
  UNION SELECT e.class, e.oid FROM part p CROSS JOIN LATERAL (
    SELECT ${CLASS}::oid AS class, h.inhrelid AS oid FROM pg_inherits h WHERE p.class = ${CLASS} AND h.inhparent = p.oid
    UNION ALL ${behind(REWRITE, 'pg_rewrite o', `o.ev_type = '1' AND o.ev_class`)}
    UNION ALL ${behind(POLICY, 'pg_policy o', 'o.polrelid')}
    UNION ALL ${behind(ATTRDEF, `pg_attrdef o JOIN pg_attribute a ON a.attrelid = o.adrelid AND a.attnum = o.adnum AND a.attgenerated <> ''`, 'o.adrelid')}
    UNION ALL SELECT d.refclassid, d.refobjid FROM pg_depend d
     WHERE p.class = ${PROC} AND d.classid = ${PROC} AND d.objid = p.oid AND d.refclassid IN (${CLASS}, ${PROC})
    UNION ALL SELECT ${TYPE}, a.atttypid FROM pg_attribute a WHERE p.class = ${CLASS} AND a.attrelid = p.oid AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL SELECT of.class, of.oid FROM pg_type t CROSS JOIN LATERAL (VALUES (${TYPE}, t.typbasetype), (${TYPE}, t.typelem), (${CLASS}, t.typrelid)) AS of(class, oid)
     WHERE p.class = ${TYPE} AND t.oid = p.oid
    UNION ALL SELECT ${TYPE}, r.rngsubtype FROM pg_range r WHERE p.class = ${TYPE} AND p.oid IN (r.rngtypid, (to_jsonb(r) ->> 'rngmultitypid')::oid)
  ) AS e WHERE e.oid >= ${FIRST_OWN}
)
SELECT CASE c.relkind WHEN 'v' THEN 'view' ELSE 'relation' END, c.oid::text, n.nspname || '.' || c.relname, ${sha(`json_build_array(c.relkind, c.relrowsecurity, c.relforcerowsecurity, c.relispartition, c.relpartbound::text, c.reloptions::text,
         (SELECT f.ftoptions::text FROM pg_foreign_table f WHERE f.ftrelid = c.oid),
         (SELECT json_agg(json_build_array(h.inhparent::text, to_jsonb(h) ->> 'inhdetachpending') ORDER BY h.inhseqno) FROM pg_inherits h WHERE h.inhrelid = c.oid),
         (SELECT json_agg(json_build_array(a.attnum, a.attname, a.atttypid::text, a.atttypmod, a.attcollation::text, a.attisdropped, a.attgenerated, a.atthasmissing, a.attmissingval::text,
                                           CASE WHEN a.attgenerated <> '' THEN (SELECT d.adbin::text FROM pg_attrdef d WHERE d.adrelid = c.oid AND d.adnum = a.attnum) END) ORDER BY a.attnum)
            FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0),
         (SELECT json_agg(json_build_array(r.ev_action::text, r.ev_qual::text, r.is_instead) ORDER BY r.rulename) FROM pg_rewrite r WHERE r.ev_class = c.oid AND r.ev_type = '1'),
         (SELECT json_agg(to_jsonb(y) ORDER BY y.polname) FROM pg_policy y WHERE y.polrelid = c.oid))`)}
  FROM part JOIN pg_class c ON c.oid = part.oid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE part.class = ${CLASS}
UNION ALL
SELECT 'storage', c.oid::text, n.nspname || '.' || c.relname, ${sha('c.relfilenode')}
  FROM part JOIN pg_class c ON c.oid = part.oid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE part.class = ${CLASS} AND c.relkind IN ('r', 'm')
UNION ALL
SELECT 'function', f.oid::text, n.nspname || '.' || f.proname, ${sha(`to_jsonb(f) - 'proacl'`)}
  FROM part JOIN pg_proc f ON f.oid = part.oid JOIN pg_namespace n ON n.oid = f.pronamespace WHERE part.class = ${PROC}
UNION ALL
SELECT 'type', t.oid::text, n.nspname || '.' || t.typname, ${sha(`json_build_array(t.typtype, t.typbasetype::text, t.typtypmod, t.typelem::text, t.typrelid::text, t.typinput::oid::text, t.typoutput::oid::text, t.typsend::oid::text,
         (SELECT to_jsonb(r) FROM pg_range r WHERE r.rngtypid = t.oid))`)}
  FROM part JOIN pg_type t ON t.oid = part.oid JOIN pg_namespace n ON n.oid = t.typnamespace WHERE part.class = ${TYPE}
UNION ALL
SELECT 'label', l.oid::text, n.nspname || '.' || t.typname, ${sha('l.enumlabel')}
  FROM part JOIN pg_type t ON t.oid = part.oid JOIN pg_enum l ON l.enumtypid = t.oid JOIN pg_namespace n ON n.oid = t.typnamespace WHERE part.class = ${TYPE}`
}

const partsOf = (rows: readonly (readonly (string | null)[])[]): DefinitionPart[] =>
  rows.map(([kind, id, name, sha256]) => ({ kind: kind!, id: id!, name: name!, sha256: sha256! }))

/** What a table's name means to this asker. @throws the codes of `failureOf` */
export async function readDefinition(rows: (sql: string) => Promise<(string | null)[][]>, table: TableRef): Promise<DefinitionPart[]> {
  return partsOf(await rows(definitionSql(table, [])))
}

/**
 * A SHA-256 over which table of which database this is, and what defines its rows. Where rows lie on disk is not in it (VACUUM FULL makes no
 * other table), and the server's address only where the server's own identifier may not be read: a replica has that of its primary.
 */
export function tableIdentity(database: SystemIdentity, parts: readonly DefinitionPart[]): string {
  const lines = parts.flatMap(({ kind, id, name, sha256 }) => (kind === 'storage' ? [] : [JSON.stringify([kind, id, name, sha256])]))
  const known = database.kind === 'postgresql' && database.system_identifier !== null
  return digestOf({ database: known ? { ...database, server: null } : database, definition: lines.sort() })
}

/** Relations that these connections have locked, so that nobody can alter them meanwhile. */
const lockedSql = (backends: readonly number[]) => `
SELECT DISTINCT c.oid::text FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
 WHERE l.pid IN (${backends.join(', ')}) AND l.locktype = 'relation' AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND c.oid >= ${FIRST_OWN} AND c.relkind IN ('r', 'p', 'v', 'm', 'f')`

/**
 * Holds what the snapshots say the compared tables are against what they are now. Statements find tables by today's catalog and rows by the
 * snapshot: if the two are not one, what is read is no table of any moment. The planner has looked at the table before, and its lock keeps most of
 * this as it is; new children, functions and types do not wait for it, so that it takes another check after reading.
 * @throws SEGMENT_INCOMPLETE naming what changed
 */
export async function checkDefinitions(sides: OpenSides, tables: { source: TableRef; target: TableRef }): Promise<void> {
  await Promise.all([sides.source, sides.target].filter(isSnapshot).map((side) => checkSide(side, tables[side.side])))
}

async function checkSide(side: SnapshotSide, table: TableRef): Promise<void> {
  const plain = partsOf(await side.main.rows(definitionSql(table, [])))
  // A function behind a view reads relations that no catalog connects with it.
  const computed = plain.some(({ kind }) => kind === 'view' || kind === 'function')
  const locked = computed ? await side.main.rows(lockedSql(side.sessions.map(({ backend }) => backend))) : []
  const also = locked.map(([oid]) => oid!)
  const then = also.length === 0 ? plain : partsOf(await side.main.rows(definitionSql(table, also)))
  const changed = changedPart(then, partsOf(await side.now(definitionSql(table, also))))
  if (changed === null) return
  throw new WaybillError(
    'SEGMENT_INCOMPLETE',
    `${JSON.stringify(changed)} on the ${side.side} was truncated, rewritten, attached, dropped or otherwise redefined while the comparison ran: what was read is not what the snapshot saw. Run it again when nobody changes tables.`,
  )
}

/** A label that was added to an enum is in no row that a snapshot shows. */
function changedPart(then: readonly DefinitionPart[], now: readonly DefinitionPart[]): string | null {
  const key = ({ kind, id, name }: DefinitionPart) => JSON.stringify([kind, id, name])
  const [before, after] = [then, now].map((parts) => new Map(parts.map((part) => [key(part), part])))
  const other = then.find((part) => after!.get(key(part))?.sha256 !== part.sha256)
  const came = now.find((part) => part.kind !== 'label' && !before!.has(key(part)))
  return other?.name ?? came?.name ?? null
}
