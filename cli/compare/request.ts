import type { ComparisonOptions } from '../../layers/core/comparison.ts'
import type { ComparisonMode } from '../../layers/core/comparison-report/comparison.ts'
import { readCondition } from '../../layers/core/comparison-request/condition.ts'
import type { CompareConfig } from '../../layers/core/comparison-request/config.ts'
import type { LiveOptions, Throttle } from '../../layers/core/connector.ts'
import { WaybillError } from '../../layers/core/errors.ts'
import type { RowFilter } from '../../layers/core/schemas/spec.ts'
import { requestedTolerances, TOLERANCE_FORMS, type Tolerance, toleranceFault } from '../../layers/core/tolerance/request.ts'
import { checkOutputPlaces } from './output-places.ts'
import { readSide, SIDE_FORMS, type Side } from './side.ts'

/** Options as the command line gives them; each absent one may come from the configuration. */
export type CompareFlags = {
  table: string[]
  include: string[]
  exclude: string[]
  where: string[]
  tolerance?: string[]
  tenant?: string
  key?: string
  excludeColumns?: string
  orderKey?: string
  schemaOnly?: boolean
  aggregatesOnly?: boolean
  sample?: number
  seed?: string
  connections?: number
  timeout?: number
  retries?: number
  live?: number
  maxRowsPerSecond?: number
  pauseAbove?: number
  differences?: string
  junit?: string
  html?: string
  repairSql?: string
  state?: string
  showValues?: boolean
  mask?: boolean
  verbose?: boolean
  json?: boolean
  estimate?: boolean
}

/** One table as named: on both sides, or `target` null where both names are one. */
export type TableChoice = { source: string; target: string | null; options: ComparisonOptions }

export type CompareRequest = {
  source: Side
  target: Side
  /** Empty: every table both sides have. */
  tables: readonly TableChoice[]
  include: readonly string[]
  exclude: readonly string[]
  comparison: ComparisonOptions
  mode: ComparisonMode
  sample: { rows: number; seed: string } | null
  /** The conditions in words, for the claim. */
  filter: readonly string[]
  connections: number
  timeoutMs: number
  /** How often a table whose connections were lost is begun again. */
  retries: number
  throttle: Throttle
  /** Null: the tables are at rest. */
  live: LiveOptions | null
  files: { differences: string | null; junit: string | null; html: string | null; repairSql: string | null; state: string | null }
  showValues: boolean
  mask: boolean
  verbose: boolean
  json: boolean
  estimateOnly: boolean
}

const list = (text: string | undefined) =>
  text
    ?.split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')

const refuse = (message: string): never => {
  throw new WaybillError('BAD_INPUT', message)
}

/** Command line over configuration, checked as a whole before anything is connected to. @throws BAD_INPUT */
export function readRequest(
  sides: readonly [string | undefined, string | undefined],
  flags: CompareFlags,
  config: CompareConfig,
  env: Readonly<Record<string, string | undefined>>,
): CompareRequest {
  const [source, target] = [sides[0] ?? config.source, sides[1] ?? config.target]
  if (source === undefined || target === undefined) {
    return refuse(`Two sides are needed, the source and the target. Each is one of: ${SIDE_FORMS}.`)
  }
  const mode = readMode(flags, config)
  const where = flags.where.length > 0 ? flags.where : (config.where ?? [])
  const tenant = flags.tenant ?? config.tenant
  const terms = [...where.map(readCondition), ...(tenant === undefined ? [] : [readTenant(tenant)])]
  const seed = flags.seed ?? config.seed ?? 'waybill'
  const rows = flags.sample ?? config.sample
  const request: CompareRequest = {
    source: readSide(source, 'source', env),
    target: readSide(target, 'target', env),
    tables: flags.table.length > 0 ? flags.table.map(choiceOfText) : (config.tables ?? []).map(choiceOfConfig),
    include: flags.include.length > 0 ? flags.include : (config.include ?? []),
    exclude: flags.exclude.length > 0 ? flags.exclude : (config.exclude ?? []),
    comparison: {
      key: list(flags.key) ?? config.key,
      excludeColumns: list(flags.excludeColumns) ?? config.exclude_columns,
      orderKey: flags.orderKey ?? config.order_key,
      tolerances: readTolerances(flags, config),
      filter: terms.length === 0 ? null : { all: terms },
      sample: mode === 'sample' ? { rows: rows!, seed } : null,
    },
    mode,
    sample: mode === 'sample' ? { rows: rows!, seed } : null,
    filter: [...where, ...(tenant === undefined ? [] : [tenant])],
    connections: flags.connections ?? config.connections ?? 2,
    timeoutMs: (flags.timeout ?? config.timeout_seconds ?? 3600) * 1000,
    retries: flags.retries ?? config.retries ?? 3,
    throttle: readThrottle(flags, config),
    live: readLive(flags, config),
    files: {
      differences: flags.differences ?? config.differences ?? null,
      junit: flags.junit ?? config.junit ?? null,
      html: flags.html ?? config.html ?? null,
      repairSql: flags.repairSql ?? config.repair_sql ?? null,
      state: flags.state ?? config.state ?? null,
    },
    showValues: flags.showValues ?? config.show_values ?? false,
    mask: flags.mask ?? config.mask ?? false,
    verbose: flags.verbose ?? config.verbose ?? false,
    json: flags.json ?? config.json ?? false,
    estimateOnly: flags.estimate ?? false,
  }
  checkTogether(request)
  return request
}

function readMode(flags: CompareFlags, config: CompareConfig): ComparisonMode {
  const asked = [
    ...(flags.schemaOnly ? ['schema' as const] : []),
    ...(flags.aggregatesOnly ? ['aggregates' as const] : []),
    ...(flags.sample === undefined ? [] : ['sample' as const]),
  ]
  if (asked.length > 1) return refuse('--schema-only, --aggregates-only and --sample exclude each other. Choose one.')
  const mode = asked[0] ?? config.mode ?? (config.sample === undefined ? 'full' : 'sample')
  if (mode === 'sample' && (flags.sample ?? config.sample) === undefined) return refuse('A sample needs a number of rows: --sample N.')
  return mode
}

function readThrottle(flags: CompareFlags, config: CompareConfig): Throttle {
  const rowsPerSecond = flags.maxRowsPerSecond ?? config.max_rows_per_second
  const pauseAboveMs = flags.pauseAbove ?? config.pause_above_ms
  return { ...(rowsPerSecond === undefined ? {} : { rowsPerSecond }), ...(pauseAboveMs === undefined ? {} : { pauseAboveMs }) }
}

function readLive(flags: CompareFlags, config: CompareConfig): LiveOptions | null {
  const seconds = flags.live ?? config.live_seconds
  return seconds === undefined ? null : { deadlineMs: seconds * 1000 }
}

function readTenant(text: string): RowFilter['all'][number] {
  const term = readCondition(text)
  if (term.op !== 'eq') return refuse('--tenant takes COL=VALUE.')
  return term
}

function readTolerances(flags: CompareFlags, config: CompareConfig): readonly Tolerance[] {
  const given = flags.tolerance ?? []
  if (given.length === 0) return tolerancesOf(config.tolerances)
  const entries = given.map((text) => {
    // No form of a tolerance holds an equals sign; a name may.
    const at = text.lastIndexOf('=')
    if (at < 1) return refuse(`--tolerance takes COL=TOLERANCE, where the tolerance is ${TOLERANCE_FORMS}.`)
    return [text.slice(0, at), text.slice(at + 1)] as const
  })
  const twice = entries.find(([column], i) => entries.findIndex(([other]) => other === column) !== i)
  if (twice !== undefined) return refuse(`--tolerance names column "${twice[0]}" twice. Keep one.`)
  return tolerancesOf(Object.fromEntries(entries))
}

function tolerancesOf(requested: Readonly<Record<string, string>> | undefined): readonly Tolerance[] {
  const tolerances = requestedTolerances(requested)
  for (const tolerance of tolerances) {
    const fault = toleranceFault(tolerance)
    if (fault !== null) refuse(`The tolerance on column "${tolerance.column}" ${fault}.`)
  }
  return tolerances
}

function choiceOfText(text: string): TableChoice {
  const split = /^((?:"(?:[^"]|"")+"|[^"=])+)=(.+)$/.exec(text)
  return split === null ? { source: text, target: null, options: {} } : { source: split[1]!, target: split[2]!, options: {} }
}

function choiceOfConfig(entry: NonNullable<CompareConfig['tables']>[number]): TableChoice {
  if (typeof entry === 'string') return choiceOfText(entry)
  const own: ComparisonOptions = {
    ...(entry.key === undefined ? {} : { key: entry.key }),
    ...(entry.exclude_columns === undefined ? {} : { excludeColumns: entry.exclude_columns }),
    ...(entry.order_key === undefined ? {} : { orderKey: entry.order_key }),
    ...(entry.rename === undefined ? {} : { rename: entry.rename }),
    ...(entry.tolerances === undefined ? {} : { tolerances: tolerancesOf(entry.tolerances) }),
    ...(entry.where === undefined ? {} : { filter: { all: entry.where.map(readCondition) } }),
  }
  return { source: entry.source, target: entry.target ?? null, options: own }
}

function checkTogether(request: CompareRequest): void {
  const { files, mode } = request
  const inFiles = [request.source, request.target].filter((side) => side.systemType !== 'POSTGRESQL').length
  if (inFiles === 2) refuse('One side must be PostgreSQL: its columns say how the values of files are to be read.')
  const filtered = request.comparison.filter !== null || request.tables.some((table) => table.options.filter)
  if (request.showValues && request.mask) refuse('--show-values and --mask contradict each other. Choose one.')
  checkOutputPlaces(request)
  if (files.repairSql !== null) {
    if (!request.showValues) refuse('--repair-sql writes values as they are. Allow that with --show-values.')
    if (inFiles > 0) refuse('--repair-sql needs PostgreSQL on both sides.')
    if (mode !== 'full') refuse('--repair-sql needs a comparison of every row.')
  }
  if (files.differences !== null) {
    if (!/\.(jsonl|parquet)$/.test(files.differences)) refuse('--differences writes a .jsonl or a .parquet file; name it so.')
    if (mode === 'schema' || mode === 'aggregates') refuse('--differences lists rows; without a comparison of rows there are none.')
  }
  if (request.tables.length > 0 && request.include.length + request.exclude.length > 0)
    refuse('--table names the tables, --include and --exclude choose among all of them. Use one or the other.')
  const twice = request.tables.find(
    (one, i) => request.tables.findIndex((other) => other.source === one.source && other.target === one.target) !== i,
  )
  if (twice !== undefined) refuse(`--table names ${twice.source} twice. Keep one.`)
  if (files.state !== null && mode !== 'full') refuse('--state remembers tables found equal; that needs a comparison of every row.')
  if (files.state !== null && request.target.systemType !== 'POSTGRESQL')
    refuse('--state needs the files to be the source. Name them first.')
  checkServers(request)
  const held = [request.comparison, ...request.tables.map((table) => table.options)].some(
    (options) => (options.tolerances ?? []).length > 0,
  )
  if (held) {
    if (mode !== 'full' && mode !== 'sample') refuse('--tolerance is about values of rows; without a comparison of rows there are none.')
    if (inFiles > 0) refuse('--tolerance needs PostgreSQL on both sides: files are compared exactly.')
    if (request.live !== null) refuse('--live and --tolerance exclude each other: columns with a tolerance are not read again.')
  }
  if (mode === 'aggregates' && filtered) refuse('--aggregates-only looks at whole tables; leave --where and --tenant out.')
  if (mode === 'sample' && inFiles > 0) refuse('--sample needs PostgreSQL on both sides.')
}

/** What is asked about reading itself. */
function checkServers({ mode, live, throttle, files, connections, source, target }: CompareRequest): void {
  const rows = mode === 'full' || mode === 'sample'
  if (throttle.rowsPerSecond !== undefined && !rows) refuse('--max-rows-per-second is about reading rows, and none are read. Leave it out.')
  if (throttle.pauseAboveMs !== undefined) {
    if (!rows) refuse('--pause-above is about reading rows, and none are read. Leave it out.')
    if (source.systemType !== 'POSTGRESQL') refuse('--pause-above watches the source, which must be PostgreSQL then.')
    if (target.systemType !== 'POSTGRESQL') refuse('--pause-above needs PostgreSQL on both sides.')
    if (connections < 2) refuse('--pause-above takes one of the connections to watch the source. Allow at least --connections 2.')
  }
  if (live === null) return
  if (mode !== 'full') refuse('--live reads differing rows again until they settle; that needs a comparison of every row.')
  if (source.systemType !== 'POSTGRESQL' || target.systemType !== 'POSTGRESQL')
    refuse('--live needs PostgreSQL on both sides: files do not settle.')
  if (files.state !== null) refuse('--live and --state exclude each other: what is in motion is not worth remembering. Choose one.')
}
