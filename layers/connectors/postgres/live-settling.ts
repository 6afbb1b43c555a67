import type { LiveOptions, ReconcileOptions, ReconcileWork } from '../../core/connector.ts'
import { WaybillError } from '../../core/errors.ts'
import type { Mismatch, TableResult } from '../../core/schemas/recon.ts'
import { withoutIndexes } from './heap-scan.ts'
import { contentOf, type KeyRows, type LiveKey, type LiveKeys, readKeys, sameRows } from './live-keys.ts'
import { addDifference, type Found, liveResult } from './live-result.ts'
import type { OpenEnds } from './open-ends.ts'
import { type Differ, differ } from './row-difference.ts'
import { READ_SNAPSHOT, type Session } from './session.ts'
import { isSnapshot } from './snapshot.ts'
import { planned } from './table-comparison.ts'
import { checkDefinitions } from './table-definition.ts'
import { waiting } from './waiting.ts'

/** The same difference must be seen in so many reads, the last of them at least `stable_ms` after the first. */
const READS_OF_A_DIFFERENCE = 3
const FIRST_WAIT_MS = 100
const LONGEST_WAIT_MS = 5000

type Watched = { key: LiveKey; content: string; since: number; reads: number }

/**
 * Reads the differing keys of one table again, each time under a new snapshot of both sides, until each is equal, or differs in the same way
 * for half of the time allowed, or the time is over. Memory is that of the keys.
 */
export async function settle(input: {
  work: ReconcileWork
  result: TableResult
  keys: LiveKeys
  open: () => Promise<OpenEnds>
  done: () => Promise<void>
  emit: (mismatch: Mismatch) => void
  options: ReconcileOptions
  live: LiveOptions
}): Promise<TableResult> {
  const { options, live, result } = input
  const stableMs = Math.ceil(live.deadlineMs / 2)
  const { sides } = await input.open()
  const { source, target } = sides
  if (!isSnapshot(source)) throw new WaybillError('BAD_INPUT', 'Only databases can be read again.')
  const { plan, facts } = await planned(sides, input.work)
  const found: Found = {
    keys: input.keys.size,
    settled: 0,
    reads: 0,
    differing: 0,
    rows: { missing: 0n, extra: 0n, changed: 0n },
    first: [],
    unsettled: 0,
    stableMs,
    obstacle: input.keys.obstacle(plan),
  }
  if (found.obstacle !== null) {
    await input.done()
    return liveResult(result, { ...found, unsettled: found.keys }, live)
  }
  const make = differ(plan.columns, plan.keyWidth, options.mask)
  const open = new Map<string, Watched>(input.keys.all().map((key) => [key.id, { key, content: '', since: 0, reads: 0 }]))
  const look = (rows: ReadonlyMap<string, KeyRows>) => {
    const now = performance.now()
    for (const [id, both] of rows) {
      const watched = open.get(id)!
      if (sameRows(both)) {
        open.delete(id)
        found.settled++
        continue
      }
      const content = contentOf(both)
      if (content !== watched.content) Object.assign(watched, { content, since: now, reads: 0 })
      watched.reads++
      if (watched.reads < READS_OF_A_DIFFERENCE || now - watched.since < stableMs) continue
      open.delete(id)
      found.differing++
      for (const mismatch of differencesOf(both, make, watched.key.segment)) {
        input.emit(mismatch)
        addDifference(found, mismatch)
      }
    }
  }
  const facing = [[[source.main], facts.source ?? facts.target] as const, [[target.main], facts.target] as const]
  let deadline: number | null = null
  for (let wait = FIRST_WAIT_MS; ; wait = Math.min(LONGEST_WAIT_MS, live.deadlineMs / 10, wait * 1.5)) {
    await Promise.all([again(source.main), again(target.main)])
    const read = () =>
      readKeys(
        source.main,
        target.main,
        plan,
        [...open.values()].map((one) => one.key),
        look,
      )
    found.reads++
    // The key's index was held against the heap by the comparison in key order only.
    await (plan.mode === 'ordered' ? read() : withoutIndexes(facing, read))
    await Promise.all([source.main, target.main].map((session) => session.checkPinned()))
    await checkDefinitions(sides, input.work.mapping)
    // Whatever held up the first read, the keys have the whole time from there.
    deadline ??= performance.now() + live.deadlineMs
    options.onSettling?.(result.table_id, open.size)
    if (open.size === 0 || performance.now() >= deadline) break
    await waiting(wait, options.signal)
    if (options.signal.aborted) throw new WaybillError('INTERRUPTED', 'The comparison was interrupted. Run it again to get a verdict.')
  }
  await input.done()
  return liveResult(result, { ...found, unsettled: open.size }, live)
}

async function again(session: Session): Promise<void> {
  await session.run(`ROLLBACK; ${READ_SNAPSHOT}`)
  await session.pin()
}

/** Rows that one side holds more often; one of each under one key is one changed row. */
function differencesOf({ source, target }: KeyRows, make: Differ, segment: number): Mismatch[] {
  const counts = new Map<string, { row: Buffer; source: number; target: number }>()
  for (const [side, rows] of [['source', source] as const, ['target', target] as const]) {
    for (const row of rows) {
      const id = row.toString('latin1')
      const count = counts.get(id) ?? { row, source: 0, target: 0 }
      count[side]++
      counts.set(id, count)
    }
  }
  const uneven = [...counts.values()].filter((count) => count.source !== count.target)
  const [before, after] = [uneven.filter((one) => one.source > one.target), uneven.filter((one) => one.source < one.target)]
  if (source.length === 1 && target.length === 1) return [make.changed(before[0]!.row, after[0]!.row, segment)]
  return [
    ...before.map((one) => make.lone('missing', one.row, segment, BigInt(one.source), BigInt(one.target))),
    ...after.map((one) => make.lone('extra', one.row, segment, BigInt(one.source), BigInt(one.target))),
  ]
}
