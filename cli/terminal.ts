import { styleText } from 'node:util'
import { escapedFormat, unambiguous } from '../layers/core/approval-page/visible-text.ts'

/** Exit codes everywhere: 0 pass, 1 fail, 2 critical or not able to decide, 130 interrupted. */
export const EXIT = { pass: 0, fail: 1, undecided: 2, interrupted: 130 } as const

type Style = Parameters<typeof styleText>[0]

/**
 * Where a command speaks. Results go to `out`, everything else to `err`, so that `--json` stays clean. Neither passes on a character that reorders
 * or hides others, whoever forgot to show it.
 */
export type Terminal = {
  out(text: string): void
  err(text: string): void
  paint(style: Style, text: string): string
  /** One line that is rewritten in place on a terminal; elsewhere printed every few seconds, and not at all of what is over before, or interrupted by another line. */
  progress(text: string): void
  endProgress(): void
  readonly interactive: boolean
}

/**
 * Shows control and direction-changing characters, and letters that pass for others, instead of letting a hostile name move the cursor, reorder the
 * line or look like another one.
 */
export function visible(text: string): string {
  return unambiguous(text, (codePoint) => `\\u{${codePoint.toLowerCase().replace(/^0+(?=.)/, '')}}`)
}

const QUIET_INTERVAL_MS = 5000

export function openTerminal(out: NodeJS.WriteStream = process.stdout, err: NodeJS.WriteStream = process.stderr): Terminal {
  const interactive = err.isTTY === true
  let open = false
  let quietSince: number | null = null
  const endProgress = () => {
    if (open) err.write('\r\u001b[2K')
    open = false
    quietSince = null
  }
  return {
    interactive,
    out(text) {
      endProgress()
      out.write(`${escapedFormat(text)}\n`)
    },
    err(text) {
      endProgress()
      err.write(`${escapedFormat(text)}\n`)
    },
    paint: (style, text) => styleText(style, text, { stream: out }),
    progress(text) {
      if (interactive) {
        const width = Math.max(20, (err.columns ?? 80) - 1)
        err.write(`\r\u001b[2K${text.length > width ? `${text.slice(0, width - 1)}…` : text}`)
        open = true
        return
      }
      const now = performance.now()
      quietSince ??= now
      if (now - quietSince < QUIET_INTERVAL_MS) return
      quietSince = now
      err.write(`${text}\n`)
    },
    endProgress,
  }
}

export function seconds(milliseconds: number): string {
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`
  if (milliseconds < 120_000) return `${(milliseconds / 1000).toFixed(1)} s`
  return `${Math.floor(milliseconds / 60_000)} min ${Math.round((milliseconds % 60_000) / 1000)} s`
}

/** Rows of cells as aligned columns; `right` names the columns that hold numbers. */
export function columns(rows: readonly (readonly string[])[], right: ReadonlySet<number> = new Set()): string {
  const widths: number[] = []
  for (const row of rows) {
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length)
  }
  return rows
    .map((row) =>
      row
        .map((cell, i) => (right.has(i) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
