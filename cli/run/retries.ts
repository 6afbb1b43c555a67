import { z } from 'zod'
import type { PlatformOptions } from '../../functions/local.ts'
import { failureReason } from '../../layers/core/flow/failure-reason.ts'
import { namesInShort } from '../../layers/core/names-in-short.ts'
import { type Terminal, visible } from '../terminal.ts'

export type Retrying = Parameters<NonNullable<PlatformOptions['onRetry']>>[0]

/** Pieces of one step that fail for the same reason within this time are told together: the first at once, the others in one line after it. */
const TOGETHER_MS = 2000
/** Names in one line. */
const NAMED = 3

/** What a Map gives one batch of its items. */
const batch = z.object({ Items: z.array(z.union([z.object({ chunk_id: z.string() }), z.object({ item_id: z.string() })])) })

type Failing = { retrying: Retrying; since: number; others: { names: string[]; count: number } }

export type Retries = {
  /** Tells a failed try, or keeps it for `look`. */
  tell(retrying: Retrying): void
  /** Tells what was kept and is due; everything, where `all`. */
  look(all?: boolean): void
}

/** Which chunks or tables a line of execution works on; none outside a Map. */
function piecesOf(input: unknown): string[] {
  const found = batch.safeParse(input).data?.Items ?? []
  return found.map((item) => visible('chunk_id' in item ? item.chunk_id : item.item_id))
}

/** Says each try that failed and is repeated: which step, of what, which try, when, and why. Every one is told or counted. */
export function showRetries(terminal: Terminal): Retries {
  /** By line of execution: why its last try failed. */
  const before = new Map<string, { attempt: number; why: string }>()
  const failing = new Map<string, Failing>()
  const say = (words: string) => terminal.err(`${terminal.paint('yellow', '↻')} ${words}`)
  return {
    tell(retrying) {
      const { execution, frame, state, attempt, of, waitMs, input, failure } = retrying
      const { code, reason } = failureReason(failure.error, failure.cause)
      const why = visible(`${code}: ${reason}`)
      const pieces = piecesOf(input)
      const line = `${execution} ${frame} ${state}`
      const last = before.get(line)
      before.set(line, { attempt, why })
      const key = `${execution} ${state} ${attempt} ${why}`
      const same = failing.get(key)
      if (same !== undefined) {
        same.others.names.push(...pieces)
        same.others.count += 1
        return
      }
      failing.set(key, { retrying, since: performance.now(), others: { names: [], count: 0 } })
      const where = pieces.length === 0 ? '' : ` of ${namesInShort(pieces, NAMED)}`
      const when = waitMs < 500 ? 'now' : `in ${Math.round(waitMs / 1000)} s`
      const said = last?.why === why && last.attempt < attempt ? 'The same reason.' : why
      say(`${state}${where}: try ${attempt} of ${of} failed and is repeated ${when}. ${said}`)
    },
    look(all = false) {
      const now = performance.now()
      for (const [key, { retrying, since, others }] of failing) {
        if (!all && now - since < TOGETHER_MS) continue
        failing.delete(key)
        if (others.count === 0) continue
        const where = others.names.length === 0 ? `${others.count} more` : namesInShort(others.names, NAMED)
        say(`${retrying.state} of ${where}: try ${retrying.attempt} of ${retrying.of} failed as well and is repeated. The same reason.`)
      }
    },
  }
}
