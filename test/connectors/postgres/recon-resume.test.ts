import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Item } from '../../../cli/compare/run.ts'
import { StateFile } from '../../../cli/compare/state-file.ts'
import type { RememberedBound, RememberedSegment, SegmentMemory } from '../../../layers/core/connector.ts'
import { startWaybill, waybill } from '../../end-to-end/command.ts'
import { freshDatabase, runSql } from '../../support/postgres.ts'
import { mappingOf, type Pair, reconcile, reconOf } from './recon-fixture.ts'
import { proxyTo } from './recon-proxy.ts'

/** Segments found equal outlive the process; nothing else does, and the result says of when they are. */
let pair: Pair
const keyed = mappingOf('t', { id: 'integer', a: 'text' }, { key: ['id'] })
const ROWS = 4000
const SEGMENTS = 40

beforeAll(async () => {
  pair = { source: await freshDatabase(), target: await freshDatabase() }
})
afterAll(async () => {
  await pair.source.drop()
  await pair.target.drop()
})
beforeEach(async () => {
  for (const side of [pair.source, pair.target]) {
    await runSql(
      side.url,
      `DROP TABLE IF EXISTS t; CREATE TABLE t (id int PRIMARY KEY, a text); INSERT INTO t SELECT g, 'row ' || g FROM generate_series(1, ${ROWS}) g`,
    )
  }
})

type Kept = { identity: string; bounds: readonly RememberedBound[]; segments: RememberedSegment[] }

class Memory implements SegmentMemory {
  kept: Kept | null = null
  begun = 0
  recall(_: string, identity: string) {
    return this.kept?.identity === identity ? this.kept : null
  }
  begin(_: string, identity: string, bounds: readonly RememberedBound[]) {
    this.begun++
    this.kept = { identity, bounds, segments: [] }
  }
  remember(_: string, segments: readonly RememberedSegment[]) {
    this.kept!.segments.push(...segments)
  }
  forget(which: (segment: RememberedSegment) => boolean) {
    this.kept!.segments = this.kept!.segments.filter((segment) => !which(segment))
  }
}
const compare = (memory: Memory, mapping = keyed, more = {}) => reconcile(pair, mapping, { segments: SEGMENTS }, { memory, ...more })

describe.each(['stream', 'push-down'] as const)('segments kept from an earlier run, %s', (method) => {
  it('are not read again, count with their rows, and the result says so; what was not kept is read', async () => {
    const memory = new Memory()
    const first = (await compare(memory, keyed, { method, connections: 2 })).result
    expect(first.verdict).toBe('pass')
    expect(first.earlier_segments).toBeUndefined()
    expect(memory.kept!.segments.map((segment) => segment.index).sort((a, b) => a - b)).toEqual(
      Array.from({ length: SEGMENTS }, (_, i) => i),
    )
    memory.forget((segment) => segment.index >= 10)
    const times = memory.kept!.segments.map((segment) => segment.compared_at).sort()
    // Segment 3 holds the keys from 301 on, segment 20 those from 2001 on.
    await runSql(pair.target.url, `UPDATE t SET a = 'changed' WHERE id IN (350, 2050); INSERT INTO t VALUES (-1, 'before all')`)
    const { result, mismatches } = await compare(memory, keyed, { method, connections: 2 })
    expect(memory.begun).toBe(1)
    expect(mismatches.map((mismatch) => mismatch.key[0]!.value)).toEqual(['2050'])
    expect(result.verdict).toBe('fail')
    expect(result.earlier_segments).toEqual({ segments: 10, first: times[0], last: times.at(-1) })
    expect(result.reasons.join(' ')).toContain(`10 of ${SEGMENTS} segments were found equal by an earlier run`)
    expect(result.source_rows).toBe(String(ROWS))
    expect(result.segments.map((segment) => segment.range)).toEqual(first.segments.map((segment) => segment.range))
    expect(result.source_root).toBe(first.source_root)
    expect(memory.kept!.segments.filter((segment) => segment.index === 20)).toEqual([])
  })
})

describe('what is kept', () => {
  it('is never a segment that differs', async () => {
    await runSql(pair.target.url, `UPDATE t SET a = 'changed' WHERE id = 350`)
    const memory = new Memory()
    await compare(memory)
    expect(memory.kept!.segments).toHaveLength(SEGMENTS - 1)
    expect(memory.kept!.segments.some((segment) => segment.index === 3)).toBe(false)
  })

  it('is nothing of a stream that turned out not to be whole', async () => {
    // The same row is lost on both sides: the digests are equal, and only the end of the stream shows it.
    const losing = () => () => {
      let rows = 0
      return (tag: string, message: Buffer) => {
        if (tag === 'H') rows = 0
        return tag === 'd' && ++rows === 150 ? Buffer.alloc(0) : message
      }
    }
    const [source, target] = await Promise.all([proxyTo(pair.source.url, losing()), proxyTo(pair.target.url, losing())])
    try {
      const memory = new Memory()
      const { result } = await reconcile({ source, target }, keyed, { segments: SEGMENTS }, { memory })
      expect(result.verdict).toBe('inconclusive')
      expect(memory.kept?.segments ?? []).toEqual([])
    } finally {
      await Promise.all([source.close(), target.close()])
    }
  })

  it.each<[string, () => Promise<{ mapping?: typeof keyed }>]>([
    ['another mapping', async () => ({ mapping: mappingOf('t', { id: 'integer' }, { key: ['id'] }) })],
    ['another type', async () => runSql(pair.target.url, 'ALTER TABLE t ALTER id TYPE bigint').then(() => ({}))],
    [
      'another table of the same name',
      async () =>
        runSql(
          pair.target.url,
          'CREATE TABLE u AS TABLE t; DROP TABLE t; ALTER TABLE u RENAME TO t; ALTER TABLE t ADD PRIMARY KEY (id)',
        ).then(() => ({})),
    ],
    ['a row filter', async () => ({ mapping: { ...keyed, filter: { all: [{ column: 'id', op: 'gt' as const, values: ['0'] }] } } })],
  ])('is void under %s', async (_, change) => {
    const memory = new Memory()
    expect((await compare(memory)).result.verdict).toBe('pass')
    const { mapping = keyed } = await change()
    await runSql(pair.target.url, 'DELETE FROM t WHERE id = 350')
    const { result } = await compare(memory, mapping)
    expect(memory.begun).toBe(2)
    expect(result).toMatchObject({ verdict: 'fail', missing: '1' })
    expect(result.earlier_segments).toBeUndefined()
  })

  it('stays when the estimate of the table, and with it the number of segments wanted, has changed', async () => {
    const memory = new Memory()
    await compare(memory)
    const { result } = await reconcile(pair, keyed, { segments: 7 }, { memory })
    expect(memory.begun).toBe(1)
    expect(result).toMatchObject({ verdict: 'pass', segments_expected: SEGMENTS, earlier_segments: { segments: SEGMENTS } })
  })

  it.each<[string, (kept: Kept) => void]>([
    ['bounds out of order', (kept) => (kept.bounds = kept.bounds.toReversed())],
    ['a bound that is no row', (kept) => (kept.bounds = [{ frame: 'AAAA', text: ['1'] }, ...kept.bounds.slice(1)])],
    ['a bound with a column too many', (kept) => (kept.bounds = kept.bounds.map((bound) => ({ ...bound, text: [...bound.text, '1'] })))],
    ['segments whose sides differ', (kept) => (kept.segments = kept.segments.map((one) => ({ ...one, target_sha256: '0'.repeat(64) })))],
    ['segments beyond the last', (kept) => (kept.segments = kept.segments.map((one) => ({ ...one, index: one.index + 1000 })))],
  ])('is not used with %s', async (_, spoil) => {
    const memory = new Memory()
    await compare(memory)
    spoil(memory.kept!)
    await runSql(pair.target.url, 'DELETE FROM t WHERE id = 350')
    expect((await compare(memory)).result).toMatchObject({ verdict: 'fail', missing: '1' })
  })

  it('is nothing for a table without a key: it starts over', async () => {
    const memory = new Memory()
    await reconcile(pair, mappingOf('t', { id: 'integer', a: 'text' }), {}, { memory })
    expect(memory.kept).toBeNull()
  })
})

describe('the state file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'waybill-state-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  const ends = { source: 'a', target: 'b' }
  const item = { work: { mapping: keyed, recon: reconOf(keyed), gaps: [] } } as unknown as Item
  const sha = (digit: string) => digit.repeat(64)
  const segment = {
    index: 0,
    source_rows: '1',
    target_rows: '1',
    source_sha256: sha('1'),
    target_sha256: sha('1'),
    compared_at: '2026-01-01T00:00:00.000Z',
  }
  const bound = { frame: 'AAAA', text: ['1'] }
  const begun = (name: string) => {
    const state = new StateFile(join(folder, name), ends)
    state.begin(item, sha('a'), [bound])
    state.remember(item, [segment])
    return state
  }

  it('gives back what was put in, to the same work only', () => {
    const { path } = begun('back')
    const again = new StateFile(path, ends)
    expect(again.recall(item, sha('a'))).toMatchObject({ bounds: [bound], segments: [segment] })
    expect(again.segments).toBe(1)
    expect(again.recall(item, sha('b'))).toBeNull()
    const tolerant = {
      ...item,
      work: { ...item.work, recon: { ...item.work.recon, tolerances: [{ column: 'a', kind: 'absolute', value: '1' }] } },
    }
    expect(again.recall(tolerant as unknown as Item, sha('a'))).toBeNull()
    again.begin(item, sha('b'), [])
    expect(new StateFile(path, ends).recall(item, sha('b'))).toMatchObject({ bounds: [], segments: [] })
  })

  it('leaves out a last line without its end, at whatever byte it was torn', () => {
    const text = readFileSync(begun('torn').path, 'utf8')
    for (let at = 0; at < text.length; at += 5) {
      const path = join(folder, 'cut')
      writeFileSync(path, text.slice(0, at))
      const known = new StateFile(path, ends).recall(item, sha('a'))
      expect(known?.segments ?? []).toEqual([])
      // What was left out is gone from the file too: what is added next is not glued to it.
      const next = new StateFile(path, ends)
      next.begin(item, sha('c'), [bound])
      expect(new StateFile(path, ends).recall(item, sha('c'))).toMatchObject({ bounds: [bound] })
    }
  })

  it('refuses damage before the last line, and a file that is something else', () => {
    const { path } = begun('damaged')
    writeFileSync(path, readFileSync(path, 'utf8').replace('"source_rows":"1"', '"source_rows":1'))
    expect(() => new StateFile(path, ends)).toThrow(/damaged in line 3/)
    writeFileSync(path, 'my notes')
    expect(() => new StateFile(path, ends)).toThrow(/not the state/)
    expect(readFileSync(path, 'utf8')).toBe('my notes')
  })
})

describe('kill -9 in the middle of a table', () => {
  it('the same command goes on: what was found equal is of then, what was not is read now', async () => {
    const big = `CREATE TABLE big (id int PRIMARY KEY); INSERT INTO big SELECT generate_series(1, 500000); ANALYZE big`
    await Promise.all([pair.source, pair.target].map((side) => runSql(side.url, `DROP TABLE IF EXISTS big; ${big}`)))
    const folder = mkdtempSync(join(tmpdir(), 'waybill-killed-'))
    const state = join(folder, 'state')
    const args = ['compare', pair.source.url, pair.target.url, '--table', 'public.big', '--connections', '1', '--state', state]
    try {
      const running = startWaybill([...args, '--max-rows-per-second', '250000'])
      await expect.poll(() => existsSync(state) && readFileSync(state, 'utf8').includes('"segments":['), { timeout: 50_000 }).toBe(true)
      running.child.kill('SIGKILL')
      expect((await running.done).code).toBeNull()
      await runSql(pair.target.url, 'DELETE FROM big WHERE id IN (100, 499000)')
      const resumed = await waybill([...args, '--json', '--show-values'])
      expect(resumed.code, resumed.err).toBe(1)
      const found = JSON.parse(resumed.out)
      expect(found.tables[0].mismatches.map((one: { key: { value: string }[] }) => one.key[0]!.value)).toEqual(['499000'])
      expect(found.tables[0].earlier_segments.segments).toBe(16)
      expect(found.tables[0].reasons.join(' ')).toMatch(/16 of 2\d segments were found equal by an earlier run .* not read again/)
      // It came to its end, so there is nothing to go on from; a new run sees everything.
      expect(existsSync(state)).toBe(false)
      const fresh = await waybill(args)
      expect(fresh.out).toMatch(/missing.*id="100"/)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
