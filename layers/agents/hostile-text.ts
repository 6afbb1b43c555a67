/** Longest string a model is shown; a name of a database never exceeds it, a comment with an essay in it does. */
const MAX_TEXT = 256
/** Longest list a model is shown. */
const MAX_ITEMS = 500
/** Largest prompt, in characters. */
const MAX_PROMPT = 200_000

/** Fields whose text is data or leads to data. A model never sees them. */
const WITHHELD = new Set([
  'min',
  'max',
  'connection',
  'secret_ref',
  'values',
  'default',
  'salt',
  'value',
  'key',
  'first_source',
  'first_target',
  'last_source',
  'last_target',
  // Inside declarations: a default, a check or a label is a value, and a comment may hold anything.
  'comment',
  'expression',
  'definition',
  'type_definition',
  'predicate',
  'shape',
  'range',
  'reached',
  'last_value',
])

/**
 * Facts as text for a prompt. Every name and comment in facts was written by somebody else: strings are cut at 256 characters,
 * markup, control and direction characters are escaped, data values are withheld, and the whole lies between markers that
 * the data cannot contain, because `<` cannot occur in it.
 */
export function wrapHostile(facts: unknown, factsSha256: string): string {
  const body = escapeMarkup(JSON.stringify(cap(facts, 0)))
  const cut = body.length > MAX_PROMPT ? `${body.slice(0, MAX_PROMPT)}" (cut)` : body
  const marker = factsSha256.slice(0, 16)
  return `<untrusted-data id="${marker}">\n${cut}\n</untrusted-data id="${marker}">`
}

function cap(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return value.length > MAX_TEXT ? `${value.slice(0, MAX_TEXT)} (cut)` : value
  if (typeof value !== 'object' || value === null) return value
  if (depth > 16) return '(too deep)'
  if (Array.isArray(value)) {
    const kept = value.slice(0, MAX_ITEMS).map((item) => cap(item, depth + 1))
    return value.length > MAX_ITEMS ? [...kept, `(${value.length - MAX_ITEMS} more)`] : kept
  }
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [
      cap(name, depth) as string,
      WITHHELD.has(name) && typeof item !== 'boolean' ? '(withheld)' : cap(item, depth + 1),
    ]),
  )
}

/** `<`, `>`, `&`, back-ticks, and everything outside printable ASCII become JSON escapes. */
function escapeMarkup(json: string): string {
  return json.replace(/[<>&`\u007f-\uffff]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
