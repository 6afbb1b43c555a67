import { createReadStream, mkdtempSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { parentsFirst, type TableRepair, tableRepair } from '../../layers/core/comparison-repair/statements.ts'
import { WaybillError } from '../../layers/core/errors.ts'
import type { CatalogTable } from '../../layers/core/schemas/catalog.ts'
import type { Mismatch } from '../../layers/core/schemas/recon.ts'
import { visible } from '../terminal.ts'
import { LineFile } from './difference-file.ts'
import { type Item, nameOf } from './run.ts'

const PHASES = ['delete', 'update', 'insert'] as const
type Phase = (typeof PHASES)[number]
type Parts = { table: CatalogTable; repair: TableRepair; skipped: bigint; files: Partial<Record<Phase, LineFile>> }

/** Settings under which the literals below mean what they say, whatever the session that runs them has set. */
const PREAMBLE = `SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SET search_path = pg_catalog;
BEGIN;
SET LOCAL TimeZone = 'UTC';
SET LOCAL DateStyle = 'ISO, YMD';
SET LOCAL IntervalStyle = 'iso_8601';
SET LOCAL extra_float_digits = 1;
SET LOCAL bytea_output = 'hex';
SET LOCAL lc_monetary = 'C';
SET LOCAL xmloption = 'content';
SET CONSTRAINTS ALL DEFERRED;`

/**
 * The script that would make the target equal. Differences come in any order, so statements wait in one file a table and phase: rows that are
 * too many go first, children before parents; then changes; then rows that are missing, parents before children.
 */
export class RepairFile {
  readonly #path: string
  readonly #folder: string
  readonly #out: LineFile
  readonly #tables = new Map<Item, Parts>()
  statements = 0n

  constructor(path: string) {
    this.#path = path
    this.#out = new LineFile(path, '--repair-sql')
    this.#folder = mkdtempSync(join(dirname(path), '.waybill-repair-'))
  }

  add(item: Item, mismatch: Mismatch): void {
    const parts = this.#parts(item)
    if (parts.repair.obstacle !== null) {
      parts.skipped++
      return
    }
    for (const { phase, sql } of parts.repair.statements(mismatch)) {
      parts.files[phase] ??= new LineFile(join(this.#folder, `${item.work.mapping.table_id}.${phase}`), '--repair-sql')
      parts.files[phase].add(sql)
      this.statements++
    }
  }

  /** Every table of this comparison whose differences could not be put into statements, and why. */
  async finish(about: { source: string; target: string; complete: boolean }): Promise<string[]> {
    const left = [...this.#tables.entries()].filter(([, parts]) => parts.skipped > 0)
    const notes = left.map(
      ([item, parts]) =>
        `${visible(nameOf(item.pair.target))}: ${parts.skipped} differences left out: ${visible(parts.repair.obstacle ?? '')}`,
    )
    const out = this.#out
    out.add(
      `-- Would make the target (${visible(about.target)}) equal to the source (${visible(about.source)}) as they were when compared.`,
    )
    out.add('-- Waybill wrote this and never executes it. Read it, run it in a copy first, and compare again afterwards.')
    out.add('-- Triggers, rules and foreign keys of the target act as always; everything happens in one transaction or not at all.')
    if (!about.complete) out.add('-- INCOMPLETE: not every table was decided. Rows of undecided tables are not in here.')
    for (const note of notes) out.add(`-- ${note}`)
    out.add(PREAMBLE)
    try {
      const order = parentsFirst([...this.#tables.values()].map((parts) => ({ ...parts.table, parts })))
      for (const phase of PHASES) {
        for (const { parts } of phase === 'delete' ? order.toReversed() : order) await this.#append(parts.files[phase])
      }
      out.add('COMMIT;')
      out.close()
    } finally {
      this.discardParts()
    }
    return notes
  }

  discardParts(): void {
    rmSync(this.#folder, { recursive: true, force: true })
  }

  async #append(part: LineFile | undefined): Promise<void> {
    if (part === undefined) return
    part.close()
    let rest = ''
    for await (const chunk of createReadStream(part.path, { encoding: 'utf8', highWaterMark: 256 * 1024 })) {
      const end = (chunk as string).lastIndexOf('\n')
      if (end === -1) rest += chunk as string
      else {
        this.#out.add(rest + (chunk as string).slice(0, end))
        rest = (chunk as string).slice(end + 1)
      }
    }
    if (rest !== '') throw new WaybillError('BAD_INPUT', `${this.#path} could not be written: a statement has no end.`)
    part.remove()
  }

  #parts(item: Item): Parts {
    const known = this.#tables.get(item)
    if (known !== undefined) return known
    const { mapping } = item.work
    const repair = tableRepair(
      item.pair.target,
      mapping.key,
      mapping.columns.map((column) => column.target),
    )
    const parts: Parts = { table: item.pair.target, repair, skipped: 0n, files: {} }
    this.#tables.set(item, parts)
    return parts
  }
}
