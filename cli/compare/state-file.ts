import { closeSync, fsyncSync, openSync, readFileSync, rmSync, truncateSync, writeSync } from 'node:fs'
import { z } from 'zod'
import { digestOf } from '../../layers/core/canonical-json.ts'
import { type EarlierTable, earlierTable } from '../../layers/core/comparison-report/comparison.ts'
import type { RememberedBound, RememberedSegment, SegmentMemory } from '../../layers/core/connector.ts'
import { WaybillError } from '../../layers/core/errors.ts'
import { hashingSpec } from '../../layers/core/rulebooks.ts'
import { count, instant, sha256Hex } from '../../layers/core/schemas/common.ts'
import type { TableResult } from '../../layers/core/schemas/recon.ts'
import type { Item, ItemSegments } from './run.ts'

const header = z.strictObject({ schema: z.literal('waybill/comparison-state/v1'), source: z.string(), target: z.string() })
const table = z.strictObject({ work_sha256: sha256Hex, ...earlierTable.shape })
const bounds = z.strictObject({
  work_sha256: sha256Hex,
  identity: sha256Hex,
  bounds: z.array(z.strictObject({ frame: z.base64(), text: z.array(z.string()) })),
})
const segments = z.strictObject({
  work_sha256: sha256Hex,
  segments: z.array(
    z.strictObject({
      index: z.int().min(0),
      source_rows: count,
      target_rows: count,
      source_sha256: sha256Hex,
      target_sha256: sha256Hex,
      compared_at: instant,
    }),
  ),
})
const line = z.union([table, bounds, segments])

type Begun = { identity: string; bounds: readonly RememberedBound[]; segments: RememberedSegment[] }

/**
 * Tables and segments found equal so far, a line each, so that an interrupted comparison goes on with the others. What differed or was not
 * decided is not remembered: it is compared again. A line counts once it is on disk with its end. Holds names, counts, digests, and the keys at
 * which segments begin; no other values and no password.
 */
export class StateFile implements ItemSegments {
  readonly path: string
  readonly #tables = new Map<string, EarlierTable>()
  readonly #begun = new Map<string, Begun>()

  /** Reads what is there, or begins the file. @throws BAD_INPUT when it belongs to another comparison or is damaged before its last line */
  constructor(path: string, ends: { source: string; target: string }) {
    this.path = path
    const text = readOrNull(path)
    const opening = `${JSON.stringify({ schema: 'waybill/comparison-state/v1', ...ends })}\n`
    // Nothing, or the torn first line of this very comparison.
    if (text === null || (opening.startsWith(text) && text !== opening)) {
      this.#write('w', opening)
      return
    }
    const [first, ...rest] = text.split('\n')
    const begun = header.safeParse(parsed(first!))
    if (!begun.success) throw new WaybillError('BAD_INPUT', `${path} is not the state of a comparison. Name another file, or delete it.`)
    if (begun.data.source !== ends.source || begun.data.target !== ends.target) {
      throw new WaybillError(
        'BAD_INPUT',
        `${path} is the state of comparing ${begun.data.source} with ${begun.data.target}. Name another file for this comparison.`,
      )
    }
    const torn = rest.pop()
    for (const [index, one] of rest.entries()) {
      const read = line.safeParse(parsed(one))
      if (!read.success) throw new WaybillError('BAD_INPUT', `${path} is damaged in line ${index + 2}. Delete it and start again.`)
      this.#take(read.data)
    }
    // A line without its end was being written when the process died: nothing follows from it, so it goes.
    if (torn !== '') truncateSync(path, Buffer.byteLength(`${[first, ...rest].join('\n')}\n`))
  }

  #take({ work_sha256, ...found }: z.infer<typeof line>): void {
    if ('bounds' in found) this.#begun.set(work_sha256, { ...found, segments: [] })
    else if ('segments' in found) this.#begun.get(work_sha256)?.segments.push(...found.segments)
    else this.#tables.set(work_sha256, found)
  }

  get tables(): number {
    return this.#tables.size
  }

  /** Equal segments of tables that are not finished. */
  get segments(): number {
    let sum = 0
    for (const [work, begun] of this.#begun) if (!this.#tables.has(work)) sum += begun.segments.length
    return sum
  }

  earlier(item: Item): EarlierTable | null {
    return this.#tables.get(workDigest(item)) ?? null
  }

  recall(item: Item, identity: string): ReturnType<SegmentMemory['recall']> {
    const begun = this.#begun.get(workDigest(item))
    return begun?.identity === identity ? begun : null
  }

  begin(item: Item, identity: string, from: readonly RememberedBound[]): void {
    this.#add({ work_sha256: workDigest(item), identity, bounds: from.map(({ frame, text }) => ({ frame, text: [...text] })) })
  }

  remember(item: Item, found: readonly RememberedSegment[]): void {
    this.#add({ work_sha256: workDigest(item), segments: [...found] })
  }

  /** A comparison that came to its end leaves nothing to go on from; what is kept would only grow old. */
  finish(): void {
    rmSync(this.path, { force: true })
  }

  add(item: Item, result: TableResult): void {
    // Equal within a tolerance is not equal: an earlier run is only ever quoted as that.
    if (result.verdict !== 'pass' || result.tolerances !== undefined) return
    this.#add({
      work_sha256: workDigest(item),
      source_object: result.source_object,
      target_object: result.target_object,
      rows: result.target_rows,
      source_root: result.source_root,
      target_root: result.target_root,
      snapshot: result.snapshot,
      ...(result.earlier_segments === undefined ? {} : { earliest_at: result.earlier_segments.first }),
      finished_at: result.finished_at,
    })
  }

  #add(entry: z.infer<typeof line>): void {
    this.#write('a', `${JSON.stringify(entry)}\n`)
    this.#take(entry)
  }

  /** Returns when the text is on disk: what is not there after a power cut was never said to be. */
  #write(how: 'w' | 'a', text: string): void {
    try {
      const file = openSync(this.path, how, 0o600)
      try {
        const bytes = Buffer.from(text, 'utf8')
        for (let at = 0; at < bytes.byteLength; ) at += writeSync(file, bytes, at)
        fsyncSync(file)
      } finally {
        closeSync(file)
      }
    } catch (error) {
      throw new WaybillError('BAD_INPUT', `--state: ${this.path} cannot be written (${(error as NodeJS.ErrnoException).code}).`)
    }
  }
}

/** Which tables were compared and how, without what changes from run to run: numbering and estimates. */
function workDigest({ work, identity }: Item): string {
  const { table_id: _, ...mapping } = work.mapping
  const { encoding, mode, tolerances } = work.recon
  const hashing = digestOf(hashingSpec)
  return digestOf({ identity: identity ?? null, hashing, mapping, encoding, mode, tolerances, scope: work.scope ?? null, gaps: work.gaps })
}

function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw new WaybillError('BAD_INPUT', `--state: ${path} cannot be read (${(error as NodeJS.ErrnoException).code}).`)
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
