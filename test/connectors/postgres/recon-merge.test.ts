import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { keyOrder } from '../../../layers/connectors/postgres/key-order.ts'
import type { RowColumn } from '../../../layers/connectors/postgres/row-column.ts'
import { differ } from '../../../layers/connectors/postgres/row-difference.ts'
import { mergeRows } from '../../../layers/connectors/postgres/row-merge.ts'
import { partDigests, segmentCutter } from '../../../layers/connectors/postgres/segment-cutter.ts'
import { encodeFrame } from '../../../layers/core/encoding/row-frame.ts'
import type { Mismatch } from '../../../layers/core/schemas/recon.ts'

const columns: RowColumn[] = [
  { name: 'id', type: 'integer', source: 'w."id"', target: 'w."id"', wire: 'int4', ordered: true },
  { name: 'note', type: 'text', source: 'w."note"', target: 'w."note"', wire: 'utf8', ordered: true },
]
const order = keyOrder(columns.slice(0, 1))

function frame(id: number, note: string): Buffer {
  const key = Buffer.alloc(4)
  key.writeInt32BE(id)
  return Buffer.from(encodeFrame([key, Buffer.from(note)]))
}

/** Frames joined into chunks after as many frames as `cuts` says, again and again. */
function chunked(rows: readonly Buffer[], cuts: readonly number[]): Buffer[] {
  const chunks: Buffer[] = []
  for (let at = 0, i = 0; at < rows.length; i++) {
    const count = cuts[i % cuts.length]!
    chunks.push(Buffer.concat(rows.slice(at, at + count)))
    at += count
  }
  return chunks
}

async function* streamed(chunks: readonly Buffer[]): AsyncGenerator<Buffer> {
  yield* chunks
}

const table = fc.uniqueArray(fc.tuple(fc.integer({ min: -300, max: 300 }), fc.constantFrom('', 'a', 'b', 'x'.repeat(700))), {
  selector: ([id]) => id,
  maxLength: 200,
  size: 'max',
})
const cuts = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 5 })
/** Few changes of a table, so that long runs of equal rows lie between them. */
const changes = fc.array(fc.tuple(fc.integer({ min: -300, max: 300 }), fc.constantFrom(null, 'a', 'changed')), { maxLength: 6 })

type Rows = Map<number, string>
const sorted = (rows: Rows) => [...rows].sort(([a], [b]) => a - b).map(([id, note]) => frame(id, note))

function changed(rows: Rows, edits: readonly (readonly [number, string | null])[]): Rows {
  const copy = new Map(rows)
  for (const [id, note] of edits) {
    if (note === null) copy.delete(id)
    else copy.set(id, note)
  }
  return copy
}

function expected(source: Rows, target: Rows): string[] {
  return [...new Set([...source.keys(), ...target.keys()])]
    .sort((a, b) => a - b)
    .flatMap((id) => {
      const [before, after] = [source.get(id), target.get(id)]
      if (before === after) return []
      return [`${before === undefined ? 'extra' : after === undefined ? 'missing' : 'changed'} ${id}`]
    })
}

test('merging names exactly the rows that differ, however chunks are cut and however long equal runs are', async () => {
  await fc.assert(
    fc.asyncProperty(table, changes, cuts, cuts, fc.boolean(), async (rows, edits, sourceCuts, targetCuts, stream) => {
      const source = new Map(rows)
      const target = changed(source, edits)
      const found: Mismatch[] = []
      const [left, right] = [chunked(sorted(source), sourceCuts), chunked(sorted(target), targetCuts)]
      await mergeRows(
        stream ? streamed(left) : left,
        stream ? streamed(right) : right,
        order,
        differ(columns, 1, (value) => value),
        7,
        (mismatch) => void found.push(mismatch),
      )
      expect(found.map((mismatch) => `${mismatch.kind} ${mismatch.key[0]!.value}`)).toEqual(expected(source, target))
    }),
    { numRuns: 300 },
  )
})

test('a key that comes out of order behind a run of equal rows is refused', async () => {
  const run = Array.from({ length: 100 }, (_, i) => frame(i, 'same'))
  const merge = mergeRows(
    [Buffer.concat(run), frame(50, 'late')],
    [Buffer.concat(run), frame(200, 'new')],
    order,
    differ(columns, 1, (value) => value),
    0,
    () => {},
  )
  await expect(merge).rejects.toThrow('order of a unique key')
})

test('segments have the SHA-256 of header and rows on both sides, same bytes or not, kept or too large to keep', async () => {
  const header = Buffer.from('header')
  const big = [frame(1, 'x'.repeat(4_000_000)), frame(2, 'y'.repeat(4_000_000))]
  await fc.assert(
    fc.asyncProperty(table, changes, cuts, cuts, fc.boolean(), async (rows, edits, sourceCuts, targetCuts, large) => {
      const bodies = [new Map(rows), changed(new Map(rows), edits)].map((one) => (large ? [...big, ...sorted(one)] : sorted(one)))
      const cutBy = [sourceCuts, targetCuts]
      const parts = await Promise.all(
        bodies.map((body, i) =>
          segmentCutter({ chunks: streamed(chunked(body, cutBy[i]!)), rows: () => BigInt(body.length) }, order, header).next(null),
        ),
      )
      const expectedDigests = bodies.map((body) => createHash('sha256').update(header).update(Buffer.concat(body)).digest('hex'))
      expect(Object.values(partDigests(parts[0]!, parts[1]!, header))).toEqual(expectedDigests)
      expect(parts.map((part) => part.chunks === null)).toEqual([large, large])
    }),
    { numRuns: 60 },
  )
})
