/**
 * What Waybill asks of a system. A connector answers as far as its system can, and says what it cannot do.
 * Reading connections are read-only; only `Target` writes, and only workers that passed the barrier hold one.
 */
import type { Catalog, Profile } from './schemas/catalog.ts'
import type { SystemIdentity } from './schemas/identity.ts'
import type { SchemaMapping, TableMapping, TableRecon } from './schemas/proposal.ts'
import type { CheckResult, ChecksReport, Mismatch, SegmentDigest, TableResult } from './schemas/recon.ts'
import type { CheckRequest, RowFilter } from './schemas/spec.ts'
import type { Chunk, ChunkResult } from './schemas/work.ts'

export type TableRef = { schema: string; name: string }

/** Read side of one system. `close` always; after it nothing else. */
export type Source = {
  /** Which system answers on this connection; for files, those that the scope names and what is in them. */
  identity(scope: readonly TableRef[]): Promise<SystemIdentity>
  /** What only the server that answers now would say, by whatever address it is reached; another after each start, so it is never stored. Null where it is not known. */
  running?(): Promise<string | null>
  /** A SHA-256 for each table over which one it is of which database, and what defines its rows. Left out where `identity` of a scope says it all. */
  definitions?(scope: readonly TableRef[]): Promise<string[]>
  catalog(scope: readonly TableRef[]): Promise<Catalog>
  profile(scope: readonly TableRef[]): Promise<Profile>
  /** About how many rows a table holds now, by looking at it. Left out where `estimated_rows` of the catalog is a count. */
  rowCount?(table: TableRef): Promise<string>
  /** Ranges that together cover every row exactly once, of about `rowsPerChunk` rows. First `from` is 0, last `to` is null. */
  chunks(table: TableMapping, rowsPerChunk: number): Promise<Chunk['range'][]>
  close(): Promise<void>
}

export type CopyProgress = (rows: bigint) => void

/** Write side. Every method is idempotent by (plan digest, step or chunk): the checkpoint commits in the target's own transaction. */
export type Target = {
  /** Creates schemas and tables of the plan. @throws TARGET_NOT_EMPTY when a table in scope exists and was not made by this plan */
  prepare(planSha256: string, tables: readonly TableMapping[]): Promise<void>
  /** Copies one chunk and its checkpoint in one transaction. */
  copy(planSha256: string, table: TableMapping, chunk: Chunk, onProgress: CopyProgress): Promise<ChunkResult>
  /** Adds keys and foreign keys, analyzes. */
  finish(planSha256: string, tables: readonly TableMapping[]): Promise<void>
  /** Chunks of a plan with a checkpoint. */
  completed(planSha256: string): Promise<ChunkResult[]>
  /**
   * Drops the tables this plan made, with everything in them; the source is never touched. Returns rows removed by table.
   * @throws CONFLICT when others built on one, or put rows into one
   */
  rollBack(planSha256: string, tables: readonly TableMapping[]): Promise<{ table_id: string; rows: string }[]>
  close(): Promise<void>
}

export type ReconcileOptions = {
  hashingSpecSha256: string
  connections: number
  statementTimeoutMs: number
  /** Count, NULLs, exact sum, smallest and largest value of every column, by one more scan a side. Left out: only NULLs of columns that may hold none. */
  aggregates?: boolean
  /** How ordered segments are digested. Left out or `auto`: streamed, unless a side is so far away that its server should digest them. */
  method?: 'auto' | 'stream' | 'push-down'
  /** Masks one value for the differences file; identity where policy allows raw values. */
  mask(value: string | null): string | null
  onMismatch(tableId: string, mismatch: Mismatch): void
  onProgress(tableId: string, rows: bigint): void
  /** A table pair is done, whatever comes of the others. */
  onResult?(result: TableResult): void
  /** How often a table whose connections were lost is begun again, under a new snapshot. Left out: never. */
  retries?: number
  /** Whatever was read of this table is void; after `waitMs` it is begun again. */
  onRetry?(tableId: string, retry: { attempt: number; of: number; waitMs: number; reason: string }): void
  throttle?: Throttle
  /** Reading waits because the source is slow, or goes on; `milliseconds` is what its answer took. */
  onPause?(paused: boolean, milliseconds: number): void
  /** Reads differing keys again until they settle; `mask` must be the identity, because keys are read again by their values. */
  live?: LiveOptions
  onSettling?(tableId: string, keysInMotion: number): void
  /** Equal segments that outlive the process. */
  memory?: SegmentMemory
  signal: AbortSignal
}

/** What the servers are spared. Each limit holds for each side on its own, over all of its connections together. */
export type Throttle = {
  rowsPerSecond?: number | undefined
  /** Reading pauses while the source takes longer than this to answer a small question. Takes one of its connections. */
  pauseAboveMs?: number | undefined
}

/**
 * For tables that are written to meanwhile. A difference that stays the same, with both rows as they were, over several reads and half of
 * `deadlineMs` is one; a key still changing at the deadline is undecided.
 */
export type LiveOptions = { deadlineMs: number }

/** The first key of a segment: the key's row frame in base64, and each column as text. */
export type RememberedBound = { frame: string; text: readonly string[] }
export type RememberedSegment = Omit<SegmentDigest, 'range'> & { compared_at: string }

/** Segments of a table found equal, kept by whoever compares. Everything that returns is on disk. */
export type SegmentMemory = {
  /** What an earlier run left of this very work; `identity` is a SHA-256 over everything that makes a segment what it is. */
  recall(tableId: string, identity: string): { bounds: readonly RememberedBound[]; segments: readonly RememberedSegment[] } | null
  /** From now on segments of this table lie between these bounds; what was kept of it before is void. */
  begin(tableId: string, identity: string, bounds: readonly RememberedBound[]): void
  remember(tableId: string, segments: readonly RememberedSegment[]): void
}

/**
 * Only some rows of both sides, for comparisons that nobody signs: a result under a scope says nothing about the other rows.
 * `target_filter` is what `mapping.filter` is for the source. `sample`: the rows whose key (without a key: whose every value) falls, by
 * SHA-256 with the seed, into `per_million` of a million.
 */
export type ComparisonScope = { target_filter: RowFilter | null; sample: { seed: string; per_million: number } | null }

/**
 * `unplanned`: nobody planned this pair, so the target's schema is held against the source's as it stands, with what whoever compares says
 * about columns (`rename`: target column → source column). Without it, against what the mapping asks for.
 */
export type ReconcileWork = {
  mapping: TableMapping
  recon: TableRecon
  scope?: ComparisonScope
  unplanned?: { rename?: Readonly<Record<string, string>> | undefined; excludeColumns?: readonly string[] | undefined }
  /**
   * Whoever compares holds the schemas against each other itself: no catalog is read for it again, and rows alone decide. `known`: every column
   * of either side that is not compared; a column that is neither compared nor known came after the catalog was read, and makes the pair undecided.
   */
  rowsOnly?: { known: { source: readonly string[]; target: readonly string[] } }
}

/** Compares table pairs under one snapshot a side. Rejects only when it could not decide at all; a result may be `inconclusive`. */
export type Reconciler = {
  reconcile(work: readonly ReconcileWork[], options: ReconcileOptions): Promise<TableResult[]>
  close(): Promise<void>
}

export type Checker = {
  run(
    mapping: SchemaMapping['tables'],
    checks: readonly { check_id: string; request: CheckRequest }[],
  ): Promise<{ checks: CheckResult[]; distributions: ChecksReport['distributions']; ingestion: ChecksReport['ingestion'] }>
  close(): Promise<void>
}

/** Opens connections for one plan. `sourceUrl`/`targetUrl` are secrets; for file sources `sourceUrl` is the folder files are read under. */
export type Connectors = {
  source(systemType: string, sourceUrl: string, options: ConnectorOptions): Promise<Source>
  target(systemType: string, targetUrl: string, source: { systemType: string; url: string }, options: ConnectorOptions): Promise<Target>
  reconciler(
    source: { systemType: string; url: string },
    target: { systemType: string; url: string },
    options: ConnectorOptions,
  ): Promise<Reconciler>
  checker(
    source: { systemType: string; url: string },
    target: { systemType: string; url: string },
    options: ConnectorOptions,
  ): Promise<Checker>
}
/**
 * What a plan demands of each connection. `required`: TLS with a certificate that is trusted and bears the host's name. `off`: to a server on
 * the same machine only, unless the policy allows it elsewhere (`offAnywhere`). Connectors hold to it before anything is sent.
 */
export type TlsDemands = { source: 'required' | 'off'; target: 'required' | 'off'; offAnywhere: boolean }

export type ConnectorOptions = {
  connectTimeoutMs: number
  statementTimeoutMs: number
  signal: AbortSignal
  /** Which side `source()` reads, where it reads the target: for messages, and for `tls`. */
  side?: 'source' | 'target'
  /** Left out: what the connection string says. */
  tls?: TlsDemands
}
