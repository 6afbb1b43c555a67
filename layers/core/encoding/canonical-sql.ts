import type { CanonicalType } from './canonical-type.ts'

/**
 * The PostgreSQL expression (of type text or bytea) whose bytes are the canonical bytes of `expression`, for a session with the pinned
 * settings. NULL stays NULL. Its binary form (`textsend`, `byteasend`) adds nothing.
 */
export function canonicalSql(type: CanonicalType, expression: string): string {
  const text = `(${expression})::text`
  switch (type.kind) {
    case 'integer':
    case 'text':
    case 'date':
    case 'time':
    case 'timestamp':
    case 'json':
      return text
    case 'numeric':
      return numericSql(type.scale, `(${expression})::numeric`)
    case 'float': {
      const [name, send] = type.bits === 32 ? ['float4', 'float4send'] : ['float8', 'float8send']
      // The sign and payload of a NaN depend on the processor that made it.
      return `${send}(CASE WHEN (${expression}) = 'NaN'::${name} THEN 'NaN'::${name} ELSE (${expression}) END)`
    }
    case 'boolean':
      return `boolsend(${expression})`
    case 'bytes':
      return `(${expression})::bytea`
    case 'uuid':
      return `uuid_send(${expression})`
    case 'interval':
      return intervalSql(`(${expression})`)
  }
}

/** More digits than the declared scale are kept, not rounded away; `scale` of NaN and infinity is NULL. */
function numericSql(scale: number | null, value: string): string {
  if (scale === null) return `trim_scale(${value})::text`
  return `CASE WHEN scale(trim_scale(${value})) <= ${scale} THEN (${value}::numeric(1000, ${scale}))::text ELSE trim_scale(${value})::text END`
}

/** `interval_send` is int64 microseconds, int32 days, int32 months: the three numbers, with no arithmetic that could carry one into another. */
function intervalSql(value: string): string {
  const sent = `encode(interval_send(${value}), 'hex')`
  const number = (from: number, digits: number) =>
    `('x' || substr(${sent}, ${from}, ${digits}))::bit(${digits * 4})::${digits === 16 ? 'int8' : 'int4'}`
  const finite = `${number(25, 8)} || ':' || ${number(17, 8)} || ':' || ${number(1, 16)}`
  return (
    `CASE WHEN ${sent} = '7fffffffffffffff7fffffff7fffffff' THEN 'infinity' ` +
    `WHEN ${sent} = '80000000000000008000000080000000' THEN '-infinity' ELSE ${finite} END`
  )
}
