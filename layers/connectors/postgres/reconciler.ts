import type { ConnectorOptions, ReconcileOptions, Reconciler, ReconcileWork } from '../../core/connector.ts'
import { WaybillError } from '../../core/errors.ts'
import type { Mismatch, TableResult } from '../../core/schemas/recon.ts'
import { mayPass } from './failure.ts'
import { HeldMismatches } from './held-mismatches.ts'
import { LiveKeys } from './live-keys.ts'
import { settle } from './live-settling.ts'
import { type OpenEnds, openEnds, type ReconcilerEnd } from './open-ends.ts'
import { isSnapshot, type OpenSides } from './snapshot.ts'
import { compareTable } from './table-comparison.ts'
import { checkDefinitions } from './table-definition.ts'
import { undecided } from './undecided.ts'
import { backOff, waiting } from './waiting.ts'

const MOST_CONNECTIONS = 16

/**
 * A reconciler between two PostgreSQL databases, or from other rows to PostgreSQL. Tables are compared one after the other under one
 * snapshot a side; after a failure in the middle of reading, the tables that follow get a new snapshot (each result names its own).
 * @throws BAD_INPUT; from `reconcile` CONNECTION_FAILED, PERMISSION_DENIED, NOT_FOUND when a side cannot be reached at all, INTERRUPTED
 */
export async function openReconciler(source: ReconcilerEnd, target: ReconcilerEnd, options: ConnectorOptions): Promise<Reconciler> {
  if (target.systemType !== 'POSTGRESQL' || !('url' in target)) {
    throw new WaybillError('BAD_INPUT', `Comparing with a target of type ${target.systemType} is not supported. Use POSTGRESQL.`)
  }
  if (source.systemType !== 'POSTGRESQL' && !('rows' in source)) {
    throw new WaybillError('BAD_INPUT', `A source of type ${source.systemType} must be given as rows.`)
  }
  return {
    reconcile: (work, reconcile) => new Comparing(source, target.url, options, reconcile).run(work),
    async close() {
      if ('rows' in source) await source.rows.close()
    },
  }
}

/** One call of `reconcile`: its connections, and what happens when they are lost. */
class Comparing {
  readonly #options: ReconcileOptions
  readonly #source: ReconcilerEnd
  readonly #open: (connections: number) => Promise<OpenEnds>
  #ends: OpenEnds | null = null
  #stopping: Promise<unknown> = Promise.resolve()

  constructor(source: ReconcilerEnd, targetUrl: string, connector: ConnectorOptions, options: ReconcileOptions) {
    const { connectTimeoutMs } = connector
    this.#options = options
    this.#source = source
    this.#open = (connections) => openEnds(source, targetUrl, { ...options, connectTimeoutMs, connections })
  }

  async run(work: readonly ReconcileWork[]): Promise<TableResult[]> {
    const { signal } = this.#options
    this.#refuseLive()
    this.#refuseInterrupted()
    this.#ends = await this.#openAll()
    signal.addEventListener('abort', this.#stop)
    try {
      const results: TableResult[] = []
      for (const item of work) {
        this.#refuseInterrupted()
        const result = await this.#table(item)
        results.push(result)
        this.#options.onResult?.(result)
      }
      return results
    } finally {
      signal.removeEventListener('abort', this.#stop)
      await this.#stopping
      await this.#ends?.close()
    }
  }

  #openAll(): Promise<OpenEnds> {
    return this.#open(Math.max(1, Math.min(MOST_CONNECTIONS, this.#options.connections)))
  }

  #refuseInterrupted(): void {
    if (this.#options.signal.aborted)
      throw new WaybillError('INTERRUPTED', 'The comparison was interrupted. Run it again to get a verdict.')
  }

  #refuseLive(): void {
    const { live, mask } = this.#options
    if (live === undefined) return
    if ('rows' in this.#source) throw new WaybillError('BAD_INPUT', 'A live comparison needs two databases: files do not settle.')
    if (mask('x') !== 'x')
      throw new WaybillError('BAD_INPUT', 'A live comparison reads keys again by their values, so it cannot be given masked ones.')
  }

  /** Drops every connection; whoever goes on opens new ones, and with them a new snapshot. */
  readonly #stop = (): void => {
    const ends = this.#ends
    this.#ends = null
    if (ends !== null) this.#stopping = Promise.all([this.#stopping, ends.stop()])
  }

  /** One table pair, begun again as often as is allowed when its connections are lost. Differences of a void attempt are never handed on. */
  async #table(item: ReconcileWork): Promise<TableResult> {
    const { onMismatch, onRetry, retries = 0, signal } = this.#options
    const { table_id } = item.mapping
    const startedAt = new Date()
    const lost: string[] = []
    for (;;) {
      const held = new HeldMismatches((mismatch) => onMismatch(table_id, mismatch))
      if (retries === 0) held.release()
      try {
        const result = await this.#attempt(item, held, startedAt)
        held.release()
        return lost.length === 0 ? result : { ...result, reasons: [...result.reasons, againWords(lost)] }
      } catch (error) {
        if (signal.aborted) {
          held.release()
          this.#refuseInterrupted()
        }
        const again = mayPass(error) && lost.length < retries && !held.final
        if (!again) return this.#undecided(item, held, error, lost, startedAt)
        const reason = (error as WaybillError).message
        lost.push(reason)
        this.#stop()
        // The connections that may be used are counted: the old ones are gone before new ones are opened.
        await this.#stopping
        const waitMs = backOff(lost.length + 1)
        onRetry?.(table_id, { attempt: lost.length, of: retries, waitMs, reason })
        await waiting(waitMs, signal)
        this.#refuseInterrupted()
      }
    }
  }

  async #attempt(item: ReconcileWork, held: HeldMismatches, startedAt: Date): Promise<TableResult> {
    const { live } = this.#options
    this.#ends ??= await this.#openAll()
    const { sides } = this.#ends
    const keys = live === undefined ? null : new LiveKeys()
    const onMismatch = (_: string, mismatch: Mismatch) => (keys === null ? held.add(mismatch) : keys.add(mismatch))
    const result = withReplicas(await compareTable(sides, item, { ...this.#options, onMismatch }, this.#stop, startedAt), sides)
    await checkPinned(sides).catch((error: unknown) => {
      this.#stop()
      throw error
    })
    await checkDefinitions(sides, item.mapping)
    await release(sides)
    if (live === undefined || keys === null || keys.size === 0) return result
    // What is read from here on is read under new snapshots, on connections of their own; the old snapshot only holds the servers up.
    const ends = this.#ends
    this.#ends = null
    await ends.close()
    return settle({
      work: item,
      result,
      keys,
      open: async () => {
        this.#ends = await this.#open(this.#options.throttle?.pauseAboveMs === undefined ? 1 : 2)
        return this.#ends
      },
      done: async () => {
        const used: OpenEnds | null = this.#ends
        this.#ends = null
        await used?.close()
      },
      emit: (mismatch) => held.add(mismatch),
      options: this.#options,
      live,
    })
  }

  async #undecided(
    item: ReconcileWork,
    held: HeldMismatches,
    error: unknown,
    lost: readonly string[],
    startedAt: Date,
  ): Promise<TableResult> {
    // Not all of its differences, but real ones.
    const final = held.final
    if (this.#options.live === undefined) held.release()
    const result = undecided(this.#ends?.sides ?? null, item.mapping, item.recon, this.#options, error, startedAt)
    if (this.#ends !== null) await release(this.#ends.sides).catch(this.#stop)
    const { retries = 0 } = this.#options
    const words =
      lost.length > 0
        ? [`Given up after ${lost.length + 1} attempts.`]
        : retries > 0 && final && mayPass(error)
          ? ['Not begun again, because differences of it had been handed on already.']
          : []
    return { ...result, reasons: [...result.reasons, ...words] }
  }
}

function againWords(lost: readonly string[]): string {
  const times = lost.length === 1 ? 'once' : `${lost.length} times`
  return `Begun again ${times}, each time from its beginning under a new snapshot, after: ${lost.at(-1)}`.slice(0, 1000)
}

/** A replica shows its primary as it was: whoever reads the result must know how long ago. */
function withReplicas(result: TableResult, sides: OpenSides): TableResult {
  const words = [sides.source, sides.target]
    .filter(isSnapshot)
    .flatMap(({ side, replica }) => (replica === null ? [] : [`The ${side} is ${replica}.`]))
  return words.length === 0 ? result : { ...result, reasons: [...result.reasons, ...words] }
}

async function checkPinned(sides: OpenSides): Promise<void> {
  const sessions = [...sides.target.sessions, ...(isSnapshot(sides.source) ? sides.source.sessions : [])]
  await Promise.all(sessions.map((session) => session.checkPinned()))
}

/** A failed query must not take the snapshot of the other tables with it, and a table that was read no lock. */
async function release(sides: OpenSides): Promise<void> {
  await Promise.all([sides.source, sides.target].filter(isSnapshot).map((side) => side.release()))
}
