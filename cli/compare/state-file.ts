import { appendFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { z } from 'zod'
import { digestOf } from '../../layers/core/canonical-json.ts'
import { type EarlierTable, earlierTable } from '../../layers/core/comparison-report/comparison.ts'
import { WaybillError } from '../../layers/core/errors.ts'
import { sha256Hex } from '../../layers/core/schemas/common.ts'
import type { TableResult } from '../../layers/core/schemas/recon.ts'
import type { Item } from './run.ts'

const header = z.strictObject({ schema: z.literal('waybill/comparison-state/v1'), source: z.string(), target: z.string() })
const line = z.strictObject({ work_sha256: sha256Hex, ...earlierTable.shape })

/**
 * Tables found equal so far, a line each, so that an interrupted comparison goes on with the others. Tables that differed or were not decided
 * are not remembered: they are compared again. Holds names, counts and digests, no values and no password.
 */
export class StateFile {
  readonly path: string
  readonly #known: ReadonlyMap<string, EarlierTable>

  /** Reads what is there, or begins the file. @throws BAD_INPUT when it belongs to another comparison or is damaged before its last line */
  constructor(path: string, ends: { source: string; target: string }) {
    this.path = path
    const text = readOrNull(path)
    if (text === null || text === '') {
      writing(path, () => writeFileSync(path, `${JSON.stringify({ schema: 'waybill/comparison-state/v1', ...ends })}\n`, { mode: 0o600 }))
      this.#known = new Map()
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
    const known = new Map<string, EarlierTable>()
    const torn = rest.pop()
    for (const [index, one] of rest.entries()) {
      const read = line.safeParse(parsed(one))
      if (!read.success) throw new WaybillError('BAD_INPUT', `${path} is damaged in line ${index + 2}. Delete it and start again.`)
      const { work_sha256, ...table } = read.data
      known.set(work_sha256, table)
    }
    this.#known = known
    // A line without its end was being written when the process died: nothing follows from it, so it goes.
    if (torn !== '') writing(path, () => writeFileSync(path, `${[first, ...rest].join('\n')}\n`, { mode: 0o600 }))
  }

  get size(): number {
    return this.#known.size
  }

  earlier(item: Item): EarlierTable | null {
    return this.#known.get(workDigest(item)) ?? null
  }

  /** A comparison that came to its end leaves nothing to go on from; what is kept would only grow old. */
  finish(): void {
    rmSync(this.path, { force: true })
  }

  add(item: Item, result: TableResult): void {
    if (result.verdict !== 'pass') return
    const table: EarlierTable = {
      source_object: result.source_object,
      target_object: result.target_object,
      rows: result.target_rows,
      source_root: result.source_root,
      target_root: result.target_root,
      snapshot: result.snapshot,
      finished_at: result.finished_at,
    }
    writing(this.path, () => appendFileSync(this.path, `${JSON.stringify({ work_sha256: workDigest(item), ...table })}\n`))
  }
}

/** What was compared and how, without what changes from run to run: numbering and estimates. */
function workDigest({ work }: Item): string {
  const { table_id: _, ...mapping } = work.mapping
  const { encoding, mode } = work.recon
  return digestOf({ mapping, encoding, mode, scope: work.scope ?? null, gaps: work.gaps })
}

function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw new WaybillError('BAD_INPUT', `--state: ${path} cannot be read (${(error as NodeJS.ErrnoException).code}).`)
  }
}

function writing(path: string, write: () => void): void {
  try {
    write()
  } catch (error) {
    throw new WaybillError('BAD_INPUT', `--state: ${path} cannot be written (${(error as NodeJS.ErrnoException).code}).`)
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
