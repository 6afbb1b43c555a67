import { closeSync, openSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { differencesToParquet } from '../../layers/connectors/duckdb/differences.ts'
import { escapedFormat } from '../../layers/core/approval-page/visible-text.ts'
import type { Comparison } from '../../layers/core/comparison-report/comparison.ts'
import { junitXml } from '../../layers/core/comparison-report/junit.ts'
import { comparisonPage } from '../../layers/core/comparison-report/page.ts'
import { WaybillError } from '../../layers/core/errors.ts'
import { fullDisk } from '../../layers/core/full-disk.ts'
import type { Mismatch, TableResult } from '../../layers/core/schemas/recon.ts'
import { LineFile } from './difference-file.ts'
import { type Mask, maskedMismatch, maskedResult } from './masking.ts'
import { RepairFile } from './repair-file.ts'
import type { CompareRequest } from './request.ts'
import { type Item, nameOf } from './run.ts'
import { StateFile } from './state-file.ts'

/** The files of one comparison, opened before anything is read so that a wrong path costs no time. */
export class CompareOutputs {
  readonly state: StateFile | null
  readonly #request: CompareRequest
  readonly #mask: Mask
  readonly #differences: LineFile | null
  readonly #repair: RepairFile | null

  /** `mask` is for everything a machine keeps; the repair script alone gets values, which the request allowed. */
  constructor(request: CompareRequest, mask: Mask) {
    const { files } = request
    this.#request = request
    this.#mask = mask
    for (const [option, path] of [
      ['--junit', files.junit],
      ['--html', files.html],
    ] as const)
      if (path !== null) write(path, option, null)
    this.state = files.state === null ? null : new StateFile(files.state, { source: request.source.label, target: request.target.label })
    const lines = files.differences?.endsWith('.parquet') ? `${files.differences}.lines` : files.differences
    this.#differences = lines === null ? null : new LineFile(lines, '--differences')
    this.#repair = files.repairSql === null ? null : new RepairFile(files.repairSql)
  }

  /** Throws when a file cannot be written: whoever compares then decides nothing about this table. */
  mismatch(item: Item, mismatch: Mismatch): void {
    const { source, target } = item.pair
    if (this.#differences !== null)
      this.#differences.add(
        escapedFormat(JSON.stringify({ source: nameOf(source), target: nameOf(target), ...maskedMismatch(mismatch, this.#mask) })),
      )
    this.#repair?.add(item, mismatch)
  }

  result(item: Item, result: TableResult): void {
    this.#differences?.flush()
    this.state?.add(item, result)
  }

  /** Writes what waits for the end; returns the masked comparison and a line for each file. */
  async finish(comparison: Comparison): Promise<{ masked: Comparison; notes: string[] }> {
    const { files, showValues } = this.#request
    const notes: string[] = []
    const masked: Comparison = showValues
      ? comparison
      : { ...comparison, masked: true, tables: comparison.tables.map((table) => maskedResult(table, this.#mask)) }
    const complete =
      !comparison.interrupted && [...comparison.tables, ...comparison.problems].every((one) => one.verdict !== 'inconclusive')
    if (this.#differences !== null && files.differences !== null) {
      this.#differences.close()
      if (this.#differences.path !== files.differences) {
        await this.#toParquet(this.#differences, files.differences)
        this.#differences.remove()
      }
      notes.push(
        `${files.differences}: ${this.#differences.lines} differences${showValues ? '' : ', values masked'}${complete ? '' : '; INCOMPLETE: not every table was decided'}`,
      )
    }
    if (this.#repair !== null && files.repairSql !== null) {
      const skipped = await this.#repair.finish({ source: comparison.source, target: comparison.target, complete })
      notes.push(`${files.repairSql}: ${this.#repair.statements} statements, never executed by Waybill${complete ? '' : '; INCOMPLETE'}`)
      notes.push(...skipped.map((note) => `${files.repairSql}: ${note}`))
    }
    if (this.state !== null && !comparison.interrupted && comparison.verdict !== 'inconclusive') this.state.finish()
    if (files.junit !== null) {
      write(files.junit, '--junit', junitXml(masked))
      notes.push(files.junit)
    }
    if (files.html !== null) {
      write(files.html, '--html', comparisonPage(masked))
      notes.push(files.html)
    }
    return { masked, notes }
  }

  async #toParquet(lines: LineFile, parquet: string): Promise<void> {
    try {
      await differencesToParquet(lines.path, parquet, lines.longest)
    } catch (cause) {
      throw new WaybillError(
        'BAD_INPUT',
        `--differences: ${parquet} could not be made; every difference is in ${lines.path}, as lines of JSON.`,
        { cause },
      )
    }
  }

  /** After a failure: nothing half made stays behind, except the differences that were found. */
  abandon(): void {
    this.#repair?.discardParts()
    this.#differences?.close()
  }
}

/** Null only tries: what is there stays until there is something to put in its place. */
function write(path: string, option: string, text: string | null): void {
  try {
    if (text === null) closeSync(openSync(path, 'a', 0o600))
    else writeFileSync(path, text, { mode: 0o600 })
  } catch (error) {
    const full = fullDisk(error, path)
    if (full !== error) throw full
    throw new WaybillError(
      'BAD_INPUT',
      `${option}: ${path} cannot be written (${(error as NodeJS.ErrnoException).code}); is ${dirname(path)} a folder you may write to?`,
    )
  }
}
