import { WaybillError } from '../../core/errors.ts'
import type { TableMapping, TableRecon } from '../../core/schemas/proposal.ts'
import { DeviationScale, type Judged } from '../../core/tolerance/deviation.ts'
import { type Tolerance, toleranceFault } from '../../core/tolerance/request.ts'
import { type FieldType, nativeColumn, type WireKind } from './row-column.ts'
import type { Session } from './session.ts'
import { columnTypes } from './table-plan.ts'
import { exactValue, type Measured, measuredAs } from './tolerance-value.ts'

/** A column outside the row digests: each side is read in its own type, and the values are held to the tolerance exactly. */
export type TolerantColumn = {
  name: string
  tolerance: Tolerance
  source: string
  target: string
  wire: WireKind
  targetWire: WireKind
  scale: DeviationScale
  judge(source: Uint8Array | null, target: Uint8Array | null): Judged
}

const refuse = (message: string): never => {
  throw new WaybillError('NOT_REPRESENTABLE', message)
}

/** The mapping without the columns that are held to a tolerance: what is digested. */
export function digestedMapping(mapping: TableMapping, tolerances: TableRecon['tolerances']): TableMapping {
  const tolerant = new Set(tolerances.map((tolerance) => tolerance.column))
  return { ...mapping, columns: mapping.columns.filter((column) => !tolerant.has(column.target)) }
}

/** What stands in the way of these tolerances whatever the values are. @throws NOT_REPRESENTABLE naming the column */
export function checkTolerances(mapping: TableMapping, tolerances: TableRecon['tolerances'], postgresOnBothSides: boolean): void {
  if (tolerances.length === 0) return
  if (!postgresOnBothSides) refuse('A tolerance needs PostgreSQL on both sides: files are compared exactly. Leave the tolerance out.')
  for (const [at, tolerance] of tolerances.entries()) {
    const { column } = tolerance
    const named = `The tolerance on column ${JSON.stringify(column)}`
    const fault = toleranceFault(tolerance)
    if (fault !== null) refuse(`${named} ${fault}.`)
    if (tolerances.findIndex((other) => other.column === column) !== at) refuse(`${named} is set twice. Keep one.`)
    if (!mapping.columns.some((mapped) => mapped.target === column)) refuse(`${named} is about a column that is not compared.`)
    if (mapping.key === null)
      refuse(`${named} needs a key on both sides: without one nobody can say which value belongs to which. Name a key, or leave it out.`)
    if (mapping.key?.includes(column)) refuse(`${named} is about a key column, and a key is equal or another row's. Leave it out.`)
    if (mapping.order_key === column) refuse(`${named} is about the order key, whose sequence is compared exactly. Leave one of them out.`)
  }
}

/** @throws NOT_REPRESENTABLE for a column that is no number and no time, or of two kinds; NOT_FOUND, PERMISSION_DENIED */
export async function tolerantColumns(
  mapping: TableMapping,
  tolerances: TableRecon['tolerances'],
  source: Session,
  target: Session,
): Promise<TolerantColumn[]> {
  const columns = tolerances.map((tolerance) => mapping.columns.find((column) => column.target === tolerance.column)!)
  const types = await columnTypes(mapping, columns, source, target)
  return tolerances.map((tolerance, i) => tolerantColumn(tolerance, types[i]!.source, types[i]!.target))
}

function tolerantColumn(tolerance: Tolerance, source: FieldType & { sql: string }, target: FieldType & { sql: string }): TolerantColumn {
  const [left, right] = [readAs(source), readAs(target)]
  const named = `Column ${JSON.stringify(tolerance.column)} is ${source.name} on the source and ${target.name} on the target`
  if (left === null || right === null || left.measured !== right.measured) {
    return refuse(
      `${named}: a tolerance needs two numbers, or two dates, times or timestamps of one kind. Leave the tolerance out, or give the column a cast in the plan.`,
    )
  }
  if ((left.measured === 'number') === (tolerance.kind === 'time')) {
    return refuse(
      left.measured === 'number'
        ? `${named}: a number takes an absolute or a relative tolerance, not one of time.`
        : `${named}: a time takes a tolerance such as 1ms, not an absolute or a relative one.`,
    )
  }
  const scale = new DeviationScale(tolerance)
  return {
    name: tolerance.column,
    tolerance,
    source: left.sql,
    target: right.sql,
    wire: left.wire,
    targetWire: right.wire,
    scale,
    judge: (a, b) => scale.judge(exactValue(left.wire, a), exactValue(right.wire, b)),
  }
}

/** How the row encoding reads a column that has this type on both sides; null for what cannot be measured. */
function readAs(field: FieldType & { sql: string }): { sql: string; wire: WireKind; measured: Measured } | null {
  const { source, wire } = nativeColumn('', field, field)
  const measured = measuredAs(wire)
  return measured === null ? null : { sql: source, wire, measured }
}
