import { digestOf } from '../../layers/core/canonical-json.ts'
import {
  type ComparisonOptions,
  type ComparisonWork,
  comparisonWork,
  matchesGlob,
  pairByName,
  type TablePair,
} from '../../layers/core/comparison.ts'
import type { ConnectorOptions, Connectors } from '../../layers/core/connector.ts'
import { WaybillError } from '../../layers/core/errors.ts'
import { hashingSpec } from '../../layers/core/rulebooks.ts'
import type { Catalog } from '../../layers/core/schemas/catalog.ts'
import type { Verdict } from '../../layers/core/schemas/common.ts'
import type { TableResult } from '../../layers/core/schemas/recon.ts'

export type Side = { systemType: string; url: string }

export type CompareRequest = {
  source: Side
  target: Side
  /** `schema.name` on both sides, or `schema.name=schema.other`. Empty: every table both sides have. */
  tables: readonly string[]
  include: readonly string[]
  exclude: readonly string[]
  comparison: ComparisonOptions
  connections: number
  mask(value: string | null): string | null
  connector: ConnectorOptions
  onProgress(tableId: string, rows: bigint): void
  onTables(count: number): void
}

export type Comparison = {
  verdict: Verdict
  tables: TableResult[]
  /** Tables that could not be held against another, each with the reason. They make the verdict fail or inconclusive. */
  problems: { table: string; verdict: Verdict; what: string }[]
}

/** `schema.name` where either part may be "quoted"; a bare name is in `public`. */
export function parseTableName(text: string): { schema: string; name: string } {
  const parts = [...text.matchAll(/"((?:[^"]|"")+)"|([^."=]+)/g)].map((match) =>
    match[1] !== undefined ? match[1].replaceAll('""', '"') : match[2]!,
  )
  if (parts.length === 1) return { schema: 'public', name: parts[0]! }
  if (parts.length === 2) return { schema: parts[0]!, name: parts[1]! }
  throw new WaybillError('BAD_INPUT', `"${text}" is not a table name. Write schema.name, or "My Schema"."My Table".`)
}

async function catalogOf(
  connectors: Connectors,
  side: Side,
  options: ConnectorOptions,
  scope: { schema: string; name: string }[],
): Promise<Catalog> {
  const source = await connectors.source(side.systemType, side.url, options)
  try {
    return await source.catalog(scope)
  } finally {
    await source.close()
  }
}

async function pairs(connectors: Connectors, request: CompareRequest): Promise<{ pairs: TablePair[]; problems: Comparison['problems'] }> {
  if (request.tables.length > 0) {
    const named = request.tables.map((text) => {
      const split = text.match(/^((?:"(?:[^"]|"")+"|[^"=])+)=(.+)$/)
      const source = parseTableName(split ? split[1]! : text)
      return { source, target: split ? parseTableName(split[2]!) : source }
    })
    const [source, target] = await Promise.all([
      catalogOf(
        connectors,
        request.source,
        request.connector,
        named.map((pair) => pair.source),
      ),
      catalogOf(
        connectors,
        request.target,
        request.connector,
        named.map((pair) => pair.target),
      ),
    ])
    const find = (catalog: Catalog, ref: { schema: string; name: string }) => {
      const table = catalog.tables.find((candidate) => candidate.schema === ref.schema && candidate.name === ref.name)
      if (table === undefined)
        throw new WaybillError(
          'NOT_FOUND',
          `There is no table ${ref.schema}.${ref.name} in ${catalog.database}, or this user may not see it.`,
        )
      return table
    }
    return { pairs: named.map((pair) => ({ source: find(source, pair.source), target: find(target, pair.target) })), problems: [] }
  }
  const [source, target] = await Promise.all([
    catalogOf(connectors, request.source, request.connector, []),
    catalogOf(connectors, request.target, request.connector, []),
  ])
  const wanted = (table: { schema: string; name: string }) =>
    (request.include.length === 0 || request.include.some((glob) => matchesGlob(glob, table))) &&
    !request.exclude.some((glob) => matchesGlob(glob, table))
  const matched = pairByName({ ...source, tables: source.tables.filter(wanted) }, { ...target, tables: target.tables.filter(wanted) })
  const missing = (side: string) => (table: { schema: string; name: string }) => ({
    table: `${table.schema}.${table.name}`,
    verdict: 'fail' as const,
    what: `only the ${side} has this table`,
  })
  return { pairs: matched.pairs, problems: [...matched.onlySource.map(missing('source')), ...matched.onlyTarget.map(missing('target'))] }
}

function isWork(value: ComparisonWork | { impossible: string }): value is ComparisonWork {
  return 'mapping' in value
}

/** Compares the tables asked for. A comparison of nothing is never equal. */
export async function compare(connectors: Connectors, request: CompareRequest): Promise<Comparison> {
  const found = await pairs(connectors, request)
  const problems = [...found.problems]
  const work: ComparisonWork[] = []
  for (const [index, pair] of found.pairs.entries()) {
    const item = comparisonWork(pair, `t${index + 1}`, request.comparison)
    if (isWork(item)) work.push(item)
    else problems.push({ table: `${pair.source.schema}.${pair.source.name}`, verdict: 'inconclusive', what: item.impossible })
  }
  if (work.length === 0 && problems.length === 0) {
    throw new WaybillError('NOT_FOUND', 'No table matches, so there is nothing to compare. Check the names, --include and --exclude.')
  }
  request.onTables(work.length)
  const tables: TableResult[] = []
  if (work.length > 0) {
    const reconciler = await connectors.reconciler(request.source, request.target, request.connector)
    try {
      tables.push(
        ...(await reconciler.reconcile(work, {
          hashingSpecSha256: digestOf(hashingSpec),
          connections: request.connections,
          statementTimeoutMs: request.connector.statementTimeoutMs,
          mask: request.mask,
          onMismatch: () => {},
          onProgress: request.onProgress,
          signal: request.connector.signal,
        })),
      )
    } finally {
      await reconciler.close()
    }
  }
  const verdicts = [...tables.map((table) => table.verdict), ...problems.map((problem) => problem.verdict)]
  if (tables.length < work.length) verdicts.push('inconclusive')
  const verdict: Verdict = verdicts.includes('fail') ? 'fail' : verdicts.every((v) => v === 'pass') ? 'pass' : 'inconclusive'
  return { verdict, tables, problems }
}
