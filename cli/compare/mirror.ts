import type { Comparison } from '../../layers/core/comparison-report/comparison.ts'
import { isWaybillError, WaybillError } from '../../layers/core/errors.ts'
import type { Mismatch, SchemaDifference, TableResult } from '../../layers/core/schemas/recon.ts'
import type { CompareRequest, TableChoice } from './request.ts'
import type { CompareEvents } from './run.ts'

/**
 * A comparison against files reads the files as the source, because the types come from PostgreSQL. Asked for the other way round, it is made
 * with the sides exchanged, and everything that it says is turned back here.
 */
export function isMirrored(request: CompareRequest): boolean {
  return request.source.systemType === 'POSTGRESQL' && request.target.systemType !== 'POSTGRESQL'
}

/** The same question with the sides exchanged. Names of columns are those of the target, so what is renamed is named anew. */
function mirrorRequest(request: CompareRequest): CompareRequest {
  return {
    ...request,
    source: request.target,
    target: request.source,
    tables: request.tables.map((choice) => mirrorChoice(choice, request)),
  }
}

function mirrorChoice(choice: TableChoice, { comparison }: CompareRequest): TableChoice {
  const { options } = choice
  const back = options.rename ?? {}
  const rename = Object.fromEntries(Object.entries(back).map(([target, source]) => [source, target]))
  const own = (column: string) => (Object.hasOwn(back, column) ? back[column]! : column)
  const key = options.key ?? comparison.key
  const excludeColumns = options.excludeColumns ?? comparison.excludeColumns
  const orderKey = options.orderKey ?? comparison.orderKey
  const filter = options.filter
  return {
    source: choice.target ?? choice.source,
    target: choice.target === null ? null : choice.source,
    options: {
      ...options,
      ...(key === undefined ? {} : { key: key.map(own) }),
      ...(excludeColumns === undefined ? {} : { excludeColumns: excludeColumns.map(own) }),
      ...(orderKey === undefined ? {} : { orderKey: own(orderKey) }),
      ...(filter ? { filter: { all: filter.all.map((term) => ({ ...term, column: own(term.column) })) } } : {}),
      ...(options.rename === undefined ? {} : { rename }),
    },
  }
}

function mirrorEvents(events: CompareEvents): CompareEvents {
  return {
    ...events,
    onMismatch: (item, mismatch) => events.onMismatch(item, mirrorMismatch(mismatch)),
    onResult: (item, result) => events.onResult(item, mirrorResult(result)),
  }
}

function mirrorMismatch(mismatch: Mismatch): Mismatch {
  return {
    ...mismatch,
    kind: KINDS[mismatch.kind],
    columns: mismatch.columns.map((column) => ({ ...column, source: column.target, target: column.source })),
    source_count: mismatch.target_count,
    target_count: mismatch.source_count,
  }
}

const KINDS = { missing: 'extra', extra: 'missing', changed: 'changed' } as const

export function mirrorResult(result: TableResult): TableResult {
  return {
    ...result,
    source_object: result.target_object,
    target_object: result.source_object.slice(0, 300),
    snapshot: { source: result.snapshot.target, target: result.snapshot.source },
    source_rows: result.target_rows,
    target_rows: result.source_rows,
    segments: result.segments.map((segment) => ({
      ...segment,
      source_rows: segment.target_rows,
      target_rows: segment.source_rows,
      source_sha256: segment.target_sha256,
      target_sha256: segment.source_sha256,
    })),
    source_root: result.target_root,
    target_root: result.source_root,
    missing: result.extra,
    extra: result.missing,
    mismatches: result.mismatches.map(mirrorMismatch),
    aggregates: result.aggregates.map((figure) => ({ ...figure, source: figure.target, target: figure.source })),
    ordering:
      result.ordering === null
        ? null
        : {
            ...result.ordering,
            first_source: result.ordering.first_target,
            first_target: result.ordering.first_source,
            last_source: result.ordering.last_target,
            last_target: result.ordering.last_source,
            reason: result.ordering.reason === null ? null : mirrorWords(result.ordering.reason),
          },
    schema_differences: result.schema_differences.map(mirrorDifference),
    reasons: result.reasons.map(mirrorWords),
  }
}

const DIFFERENCES: Readonly<Partial<Record<SchemaDifference['kind'], SchemaDifference['kind']>>> = {
  column_added: 'column_removed',
  column_removed: 'column_added',
}

function mirrorDifference(difference: SchemaDifference): SchemaDifference {
  const { rename } = difference
  return {
    ...difference,
    kind: DIFFERENCES[difference.kind] ?? difference.kind,
    source: difference.target,
    target: difference.source,
    ...(rename === undefined ? {} : { rename: { ...rename, source: rename.target, target: rename.source } }),
  }
}

const WORDS: Readonly<Record<string, string>> = { source: 'target', target: 'source', missing: 'extra', extra: 'missing' }

/** The words of a sentence of ours: "the source", "3 missing". Names, in quotes or not, stay. */
export function mirrorWords(text: string): string {
  return text.replace(/"(?:[^"\\]|\\.)*"|\b([Tt]he |\d+ )(source|target|missing|extra)\b/g, (found, before?: string, word?: string) =>
    before === undefined || word === undefined ? found : `${before}${WORDS[word]}`,
  )
}

/** Compares with the sides exchanged and gives the answer as it was asked. @throws what `compareSides` throws, in the words of the question */
export async function mirrored(
  request: CompareRequest,
  events: CompareEvents,
  compareSides: (request: CompareRequest, events: CompareEvents) => Promise<Comparison>,
): Promise<Comparison> {
  try {
    return mirrorComparison(await compareSides(mirrorRequest(request), mirrorEvents(events)), request)
  } catch (error) {
    if (!isWaybillError(error)) throw error
    throw new WaybillError(error.code, mirrorWords(error.message), { cause: error, details: error.details.map(mirrorWords) })
  }
}

function mirrorComparison(found: Comparison, request: CompareRequest): Comparison {
  return {
    ...found,
    source: request.source.label,
    target: request.target.label,
    tables: found.tables.map(mirrorResult),
    problems: found.problems.map((problem) => ({ ...problem, what: mirrorWords(problem.what) })),
  }
}
