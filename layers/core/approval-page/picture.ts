import type { Mark } from './section.ts'
import { escaped } from './visible-text.ts'

/**
 * One bar from 0 to 1: filled parts from the left, and lines across it at limits. `says` tells in words all that it shows; a screen reader
 * reads that and not the bar.
 */
export type Picture = {
  label: string
  says: string
  parts: readonly { share: number; mark: Mark }[]
  limits?: readonly number[]
}

/** Of one whole, in thousandths, so that a single row among millions still shows as a hair's breadth. */
const WIDTH = 1000
const LEAST = 4

export function renderPicture({ label, says, parts, limits = [] }: Picture): string {
  let from = 0
  const bars = parts
    .filter(({ share }) => share > 0)
    .map(({ share, mark }) => {
      const width = Math.max(LEAST, Math.min(WIDTH, Math.round(share * WIDTH)))
      const x = Math.min(from, WIDTH - width)
      from = x + width
      return `<rect class="${mark}" x="${x}" width="${width}" height="20"/>`
    })
    .join('')
  const lines = limits.map((at) => `<rect class="note" x="${Math.round(at * WIDTH) - 2}" width="4" height="20"/>`).join('')
  return `<figure><figcaption><b>${escaped(label)}</b> ${escaped(says, 400)}</figcaption><svg viewBox="0 0 ${WIDTH} 20" preserveAspectRatio="none" aria-hidden="true" focusable="false"><rect class="track" width="${WIDTH}" height="20"/>${bars}${lines}</svg></figure>`
}

/** part ÷ whole of two exact counts, for drawing only; 0 where the whole is 0. */
export function share(part: bigint, whole: bigint): number {
  return whole === 0n ? 0 : Number((part * 1_000_000n) / whole) / 1_000_000
}
