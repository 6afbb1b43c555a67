import { WaybillError } from '../errors.ts'
import { filterTerm, type RowFilter } from '../schemas/spec.ts'

type Term = RowFilter['all'][number]

const OPERATORS = { '=': 'eq', '!=': 'ne', '<>': 'ne', '<': 'lt', '<=': 'le', '>': 'gt', '>=': 'ge' } as const

/**
 * One condition as a person writes it: `COL=VAL`, `COL!=VAL`, `<`, `<=`, `>`, `>=`, `COL in A,B`, `COL is null`, `COL is not null`.
 * Column names may be "quoted", values 'quoted' where blanks around them or commas inside them count. A value is a value: no SQL ever gets
 * through. @throws BAD_INPUT
 */
export function readCondition(text: string): Term {
  const match =
    /^\s*("(?:[^"]|"")+"|[^\s"=<>!]+)\s*(?:(<=|>=|<>|!=|=|<|>)([\s\S]*)|\s(is\s+not\s+null|is\s+null|(?:not\s+)?in\s+[\s\S]*))$/i.exec(
      text.trimEnd(),
    )
  const refuse = (): never => {
    throw new WaybillError(
      'BAD_INPUT',
      `"${text.slice(0, 100)}" is not a condition. Write COL=VALUE, with one of = != < <= > >=, or COL in A,B, COL is null, COL is not null.`,
    )
  }
  if (match === null) return refuse()
  const column = match[1]!.startsWith('"') ? match[1]!.slice(1, -1).replaceAll('""', '"') : match[1]!
  const term = (op: Term['op'], values: string[]): Term => {
    const parsed = filterTerm.safeParse({ column, op, values })
    return parsed.success ? parsed.data : refuse()
  }
  if (match[2] !== undefined) return term(OPERATORS[match[2] as keyof typeof OPERATORS], [plainValue(match[3]!)])
  const words = match[4]!.trim()
  if (/^is\s+not\s+null$/i.test(words)) return term('is_not_null', [])
  if (/^is\s+null$/i.test(words)) return term('is_null', [])
  const list = /^(not\s+)?in\s+([\s\S]*)$/i.exec(words)
  if (list === null) return refuse()
  return term(list[1] === undefined ? 'in' : 'not_in', listed(list[2]!).map(plainValue))
}

const QUOTED = /^'((?:[^']|'')*)'$/

/** Blanks around a value are somebody's spacing, never part of it, unless quotes say so. */
function plainValue(text: string): string {
  const value = text.trim()
  const quoted = QUOTED.exec(value)
  return quoted === null ? value : quoted[1]!.replaceAll("''", "'")
}

/** Parts between commas that stand outside quotes. */
function listed(text: string): string[] {
  return text.match(/(?:\s*'(?:[^']|'')*'\s*(?=,|$)|[^,])+|(?<=^|,)(?=,|$)/g) ?? ['']
}
