/** How a family of DuckDB types travels. */
export type Family =
  | 'boolean'
  | 'integer'
  | 'decimal'
  | 'float'
  | 'text'
  | 'bytes'
  | 'date'
  | 'time'
  | 'timestamp'
  | 'instant'
  | 'interval'
  | 'uuid'

export type FileType = {
  /** As DuckDB prints it: `DECIMAL(10,2)`. */
  duck: string
  /** The PostgreSQL type that holds every value exactly, or null when there is none. */
  postgres: string | null
  family: Family | null
}

const FIXED: Readonly<Record<string, readonly [string, Family]>> = {
  BOOLEAN: ['boolean', 'boolean'],
  TINYINT: ['smallint', 'integer'],
  SMALLINT: ['smallint', 'integer'],
  INTEGER: ['integer', 'integer'],
  BIGINT: ['bigint', 'integer'],
  HUGEINT: ['numeric(39,0)', 'integer'],
  UTINYINT: ['smallint', 'integer'],
  USMALLINT: ['integer', 'integer'],
  UINTEGER: ['bigint', 'integer'],
  UBIGINT: ['numeric(20,0)', 'integer'],
  UHUGEINT: ['numeric(39,0)', 'integer'],
  FLOAT: ['real', 'float'],
  DOUBLE: ['double precision', 'float'],
  VARCHAR: ['text', 'text'],
  BLOB: ['bytea', 'bytes'],
  DATE: ['date', 'date'],
  TIME: ['time without time zone', 'time'],
  TIMESTAMP: ['timestamp without time zone', 'timestamp'],
  TIMESTAMP_S: ['timestamp without time zone', 'timestamp'],
  TIMESTAMP_MS: ['timestamp without time zone', 'timestamp'],
  TIMESTAMP_NS: ['timestamp without time zone', 'timestamp'],
  'TIMESTAMP WITH TIME ZONE': ['timestamp with time zone', 'instant'],
  INTERVAL: ['interval', 'interval'],
  UUID: ['uuid', 'uuid'],
}

/** INT96, lists, structs, maps and unions have no exact counterpart here: they are named, never rounded. Nanoseconds are read where they are whole microseconds. */
export function fileType(duck: string): FileType {
  const decimal = /^DECIMAL\((\d+),\s*(\d+)\)$/.exec(duck)
  if (decimal && Number(decimal[1]) <= 38) return { duck, postgres: `numeric(${decimal[1]},${decimal[2]})`, family: 'decimal' }
  const fixed = Object.hasOwn(FIXED, duck) ? FIXED[duck] : undefined
  return { duck, postgres: fixed?.[0] ?? null, family: fixed?.[1] ?? null }
}
