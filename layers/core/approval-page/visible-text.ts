/**
 * Text for people, from strangers. A name in a database may hold markup, or characters that reorder or hide what follows
 * (U+202E and its kin): shown as they are, an approver would read something else than what is in the plan.
 */
const HIDDEN = /\p{Cc}|\p{Cf}|\p{Co}|\p{Cs}|\p{Zl}|\p{Zp}|\u034f|\u115f|\u1160|\u17b4|\u17b5|\u3164|\uffa0/gu

/** Every control, format and bidirectional character as its code point, for example `[U+202E]`; at most `limit` characters. */
export function visible(text: string, limit = 160): string {
  const shown = text.replace(HIDDEN, (character) => `[U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}]`)
  return shown.length <= limit ? shown : `${shown.slice(0, limit - 1)}…`
}

/** HTML text or attribute value. Hidden characters are made visible first. */
export function escaped(text: string, limit = 160): string {
  return escapeMarkup(visible(text, limit))
}

/** HTML text or attribute value of a text whose lines and length are kept, such as what the person typed. */
export function escapeMarkup(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.codePointAt(0)};`)
}

const MONTHS = ['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October', 'November', 'December']

/** `2026-11-28T13:04:57.968Z` → `28 November 2026, 13:04 UTC`; any other text stays as it is. */
export function moment(instant: string): string {
  const match = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}:\d{2})/.exec(instant)
  const month = MONTHS[Number(match?.[2]) - 1]
  return match === null || month === undefined ? instant : `${Number(match[3])} ${month} ${match[1]}, ${match[4]} UTC`
}
