/** How the bytes of a value are to be read back for a report. `utf8` also stands for every type that travels as text. */
export type WireKind =
  | 'bool'
  | 'bytea'
  | 'char'
  | 'date'
  | 'float4'
  | 'float8'
  | 'int2'
  | 'int4'
  | 'int8'
  | 'interval'
  | 'jsonb'
  | 'money'
  | 'numeric'
  | 'pg_lsn'
  | 'time'
  | 'timestamp'
  | 'timestamptz'
  | 'tsquery'
  | 'utf8'
  | 'uuid'

/**
 * One built-in type. `binary`: its send function gives one value one form on every server. `text`: its printed text does. `refused`: neither
 * does, or the value means something in one database only. `inside` says why its text is no good within an array, a composite or a range
 * where that differs. `floats`: the text holds floating-point numbers. `print`: what prints it, where that is not a cast.
 */
export type BuiltinType =
  | { name: string; travels: 'binary'; wire: WireKind; floats?: true; words?: true; inside?: string }
  | { name: string; travels: 'text'; floats?: true; print?: (sql: string) => string }
  | { name: string; travels: 'refused'; why: string }

const OVERLOADED = 'prints overloaded names alike'
const INTERNAL = 'belongs to the server itself'
/** Its text leaves out how operators of one kind are grouped, which `=` and the stored value tell apart. */
const TSQUERY_TEXT = 'prints queries alike that are not equal'

/**
 * Every built-in type of PostgreSQL 13 to 18 that can be a column's, by its number, which is the same in every database. A type that is not here, not
 * made of these and not of a known extension is refused by name. Arrays, composites, enums, domains and ranges are built from these (`text-form.ts`).
 */
export const BUILTIN_TYPES: ReadonlyMap<number, BuiltinType> = new Map<number, BuiltinType>([
  [16, { name: 'boolean', travels: 'binary', wire: 'bool' }],
  [17, { name: 'bytea', travels: 'binary', wire: 'bytea' }],
  // Its text has changed: what is no ASCII is printed in octal since PostgreSQL 16.
  [18, { name: '"char"', travels: 'binary', wire: 'char' }],
  [19, { name: 'name', travels: 'binary', wire: 'utf8', words: true }],
  [20, { name: 'bigint', travels: 'binary', wire: 'int8' }],
  [21, { name: 'smallint', travels: 'binary', wire: 'int2' }],
  [22, { name: 'int2vector', travels: 'text' }],
  [23, { name: 'integer', travels: 'binary', wire: 'int4' }],
  [24, { name: 'regproc', travels: 'refused', why: OVERLOADED }],
  [25, { name: 'text', travels: 'binary', wire: 'utf8', words: true }],
  [26, { name: 'oid', travels: 'text' }],
  [27, { name: 'tid', travels: 'text' }],
  [28, { name: 'xid', travels: 'text' }],
  [29, { name: 'cid', travels: 'text' }],
  [30, { name: 'oidvector', travels: 'text' }],
  [114, { name: 'json', travels: 'binary', wire: 'utf8' }],
  // `::text` would show the encoding a document was once written in, which means nothing once it is stored; printing leaves it out.
  [142, { name: 'xml', travels: 'text', print: (sql) => `textin(xml_out(${sql}))` }],
  [194, { name: 'pg_node_tree', travels: 'refused', why: INTERNAL }],
  [600, { name: 'point', travels: 'text', floats: true }],
  [601, { name: 'lseg', travels: 'text', floats: true }],
  [602, { name: 'path', travels: 'text', floats: true }],
  [603, { name: 'box', travels: 'text', floats: true }],
  [604, { name: 'polygon', travels: 'text', floats: true }],
  [628, { name: 'line', travels: 'text', floats: true }],
  [650, { name: 'cidr', travels: 'text' }],
  [700, { name: 'real', travels: 'binary', wire: 'float4', floats: true }],
  [701, { name: 'double precision', travels: 'binary', wire: 'float8', floats: true }],
  [718, { name: 'circle', travels: 'text', floats: true }],
  [774, { name: 'macaddr8', travels: 'text' }],
  [790, { name: 'money', travels: 'binary', wire: 'money' }],
  [829, { name: 'macaddr', travels: 'text' }],
  [869, { name: 'inet', travels: 'text' }],
  [1033, { name: 'aclitem', travels: 'refused', why: 'names roles of one server' }],
  [1042, { name: 'character', travels: 'binary', wire: 'utf8' }],
  [1043, { name: 'character varying', travels: 'binary', wire: 'utf8', words: true }],
  [1082, { name: 'date', travels: 'binary', wire: 'date' }],
  [1083, { name: 'time without time zone', travels: 'binary', wire: 'time' }],
  [1114, { name: 'timestamp without time zone', travels: 'binary', wire: 'timestamp' }],
  [1184, { name: 'timestamp with time zone', travels: 'binary', wire: 'timestamptz' }],
  [1186, { name: 'interval', travels: 'binary', wire: 'interval' }],
  [1266, { name: 'time with time zone', travels: 'text' }],
  [1560, { name: 'bit', travels: 'text' }],
  [1562, { name: 'bit varying', travels: 'text' }],
  [1700, { name: 'numeric', travels: 'binary', wire: 'numeric' }],
  [1790, { name: 'refcursor', travels: 'text' }],
  [2202, { name: 'regprocedure', travels: 'text' }],
  [2203, { name: 'regoper', travels: 'refused', why: OVERLOADED }],
  [2204, { name: 'regoperator', travels: 'text' }],
  [2205, { name: 'regclass', travels: 'text' }],
  [2206, { name: 'regtype', travels: 'text' }],
  [2950, { name: 'uuid', travels: 'binary', wire: 'uuid' }],
  [2970, { name: 'txid_snapshot', travels: 'text' }],
  [3220, { name: 'pg_lsn', travels: 'binary', wire: 'pg_lsn' }],
  [3361, { name: 'pg_ndistinct', travels: 'refused', why: INTERNAL }],
  [3402, { name: 'pg_dependencies', travels: 'refused', why: INTERNAL }],
  [3614, { name: 'tsvector', travels: 'text' }],
  [3615, { name: 'tsquery', travels: 'binary', wire: 'tsquery', inside: TSQUERY_TEXT }],
  [3642, { name: 'gtsvector', travels: 'refused', why: INTERNAL }],
  [3734, { name: 'regconfig', travels: 'text' }],
  [3769, { name: 'regdictionary', travels: 'text' }],
  [3802, { name: 'jsonb', travels: 'binary', wire: 'jsonb' }],
  [4072, { name: 'jsonpath', travels: 'text' }],
  [4089, { name: 'regnamespace', travels: 'text' }],
  [4096, { name: 'regrole', travels: 'text' }],
  [4191, { name: 'regcollation', travels: 'text' }],
  [4600, { name: 'pg_brin_bloom_summary', travels: 'refused', why: INTERNAL }],
  [4601, { name: 'pg_brin_minmax_multi_summary', travels: 'refused', why: INTERNAL }],
  [5017, { name: 'pg_mcv_list', travels: 'refused', why: INTERNAL }],
  [5038, { name: 'pg_snapshot', travels: 'text' }],
  [5069, { name: 'xid8', travels: 'text' }],
])
