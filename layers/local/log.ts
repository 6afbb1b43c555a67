import { isWaybillError } from '../core/errors.ts'
import type { Clock, Log } from '../core/ports.ts'

/** Secrets handed out so far. `hide` replaces them, and the forms they take inside URLs, wherever they stand in a text. */
export type Redaction = { add(secret: string): void; hide(text: string): string }

/** Parts of a secret shorter than this are words that occur by themselves; the secret as a whole is hidden at any length. */
const SHORTEST_PART = 4

export function redaction(): Redaction {
  const forms = new Set<string>()
  let longestFirst: string[] = []
  return {
    add(secret) {
      if (secret === '') return
      const parts = [secret, ...passwordsIn(secret)].filter((part, index) => index === 0 || part.length >= SHORTEST_PART)
      for (const part of parts) {
        forms.add(part)
        forms.add(encodeURIComponent(part))
        forms.add(JSON.stringify(part).slice(1, -1))
      }
      longestFirst = [...forms].sort((a, b) => b.length - a.length)
    },
    hide: (text) => longestFirst.reduce((hidden, form) => hidden.replaceAll(form, '[secret]'), text),
  }
}

/** JSON lines: `{at, level, message, …fields}`. Nothing that `redaction` knows gets out, in whatever field it hides. */
export function jsonLog({ clock, redaction, write }: { clock: Clock; redaction: Redaction; write: (line: string) => void }): Log {
  const line =
    (level: string) =>
    (message: string, fields: Record<string, unknown> = {}) => {
      const record = { ...fields, at: clock.now().toISOString(), level, message }
      write(JSON.stringify(record, (_key, value) => shown(value, redaction), 0) ?? '{}')
    }
  const guarded = (level: string) => (message: string, fields?: Record<string, unknown>) => {
    try {
      line(level)(message, fields)
    } catch {
      // A log that throws would stop a migration; a value without JSON form (a cycle) is left out instead.
      line(level)(message, { fields: 'not shown: they have no JSON form' })
    }
  }
  return { info: guarded('info'), warn: guarded('warn'), error: guarded('error') }
}

function shown(value: unknown, redaction: Redaction): unknown {
  if (typeof value === 'string') return redaction.hide(value)
  if (typeof value === 'bigint') return String(value)
  if (isWaybillError(value)) return { code: value.code, message: value.message, details: value.details }
  if (value instanceof Error) return { name: value.name, message: value.message }
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [redaction.hide(key), inner]))
  return value
}

/** A connection URL's password, as written and as decoded; drivers quote either. */
function passwordsIn(secret: string): string[] {
  if (!URL.canParse(secret)) return []
  const url = new URL(secret)
  const written = [url.password, url.searchParams.get('password') ?? '']
  return written.flatMap((text) => {
    try {
      return [text, decodeURIComponent(text)]
    } catch {
      return [text]
    }
  })
}
