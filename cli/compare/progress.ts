import { estimatedRows } from '../../layers/core/comparison.ts'
import { grouped } from '../../layers/core/count-words.ts'
import { duration } from '../../layers/core/report/markup.ts'
import { type Terminal, visible } from '../terminal.ts'
import { type Item, nameOf } from './run.ts'

/** Before this much time the speed says nothing about what is left. */
const SETTLED_MS = 3000
/** A comparison shorter than this needs no progress. */
const QUIET_MS = 1000

/** One line that says which table is being read, how far it is, how fast, and about how long it will still take. */
export class CompareProgress {
  readonly #terminal: Terminal
  readonly #started = performance.now()
  #tables = 0
  #finished = 0
  /** Rows of finished tables, as counted; of the others, as estimated. */
  #done = 0n
  #left = 0n
  #current: { item: Item; rows: bigint } | null = null

  constructor(terminal: Terminal) {
    this.#terminal = terminal
  }

  /** `settled`: tables that the result counts and nobody reads now. */
  start(items: readonly Item[], settled: number): void {
    this.#tables = items.length + settled
    this.#finished = settled
    this.#left = items.reduce((sum, item) => sum + estimatedRows(item.pair), 0n)
  }

  rows(item: Item, rows: bigint): void {
    this.#current = { item, rows }
    const all = this.#done + rows
    const elapsed = performance.now() - this.#started
    if (elapsed < QUIET_MS) return
    const expected = estimatedRows(item.pair)
    const ofAbout = expected > 0n ? ` of about ${grouped(expected)}` : ''
    const speed = Number(all) / elapsed
    const open = this.#left - (rows < expected ? rows : expected)
    const left =
      elapsed > SETTLED_MS && speed > 0 && open > 0n ? ` · about ${duration(Math.ceil(Number(open) / speed / 1000) * 1000)} left` : ''
    this.#terminal.progress(
      `${this.#finished + 1} of ${this.#tables} tables · ${visible(nameOf(item.pair.target))} ${grouped(rows)}${ofAbout} rows · ${grouped(Math.round(speed * 1000))} rows/s${left}`,
    )
  }

  settling(item: Item, keys: number): void {
    if (keys > 0)
      this.#terminal.progress(
        `${visible(nameOf(item.pair.target))} · ${grouped(keys)} ${keys === 1 ? 'key' : 'keys'} in motion, read again`,
      )
  }

  finished(item: Item, rows: bigint): void {
    this.#finished++
    this.#done += rows
    this.#left -= estimatedRows(item.pair)
    if (this.#current?.item === item) this.#current = null
  }
}
