/**
 * Text for people, from strangers. A name in a database may hold markup, or characters that reorder or hide what follows
 * (U+202E and its kin): shown as they are, an approver would read something else than what is in the plan.
 */
const HIDDEN =
  /\p{Cc}|\p{Cf}|\p{Co}|\p{Cs}|\p{Cn}|\p{Zl}|\p{Zp}|[\p{Zs}--[ ]]|[\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0]|\p{Variation_Selector}/gv
/** Blanks that a page swallows: `a  b` would look like `a b`. */
const SWALLOWED = /(?<= ) +/g
const AT_AN_END = /^ +| +$/g
/** More marks on one letter than any language writes: they would run over the lines above and below. */
const PILED = /(?<=\p{Mn}{3})\p{Mn}+/gu
/** Cyrillic and Greek letters that look like Latin ones. */
const ALIKE =
  /[\u0391\u0392\u0395-\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7\u03b1\u03b9\u03bd\u03bf\u03c1\u03c5\u0405\u0406\u0408\u0410\u0412\u0415\u041a\u041c-\u041e\u0420-\u0423\u0425\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0455\u0456\u0458\u04bb\u04cf\u0501\u051b\u051d]/gu
const WORD = /[\p{L}\p{M}\p{N}_]+/gu
const LATIN = /\p{Script=Latin}/u

/** Whether a word has Latin letters and letters of another alphabet that look like them: `p\u0430ssword`. */
export function mixesAlphabets(text: string): boolean {
  return (text.match(WORD) ?? []).some((word) => LATIN.test(word) && word.search(ALIKE) !== -1)
}

/** Whatever hides, reorders, or passes for something else as its code point, written by `mark`. A text with such a mark written out in it looks the same. */
export function unambiguous(text: string, mark: (codePoint: string) => string): string {
  const marked = (found: string) =>
    [...found].map((character) => mark(character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0'))).join('')
  return text
    .replace(SWALLOWED, marked)
    .replace(WORD, (word) => (LATIN.test(word) ? word.replace(ALIKE, marked) : word))
    .replace(PILED, marked)
    .replace(HIDDEN, marked)
}

/** Every character that hides or deceives as its code point, for example `[U+202E]`; at most `limit` characters. */
export function visible(text: string, limit = 160): string {
  const shown = unambiguous(text, (codePoint) => `[U+${codePoint}]`)
  return shown.length <= limit ? shown : `${shown.slice(0, limit - 1).toWellFormed()}…`
}

/** A name that stands by itself: as `visible`, and no blank before or after it goes unseen. */
export function visibleName(text: string, limit = 160): string {
  return visible(
    text.replace(AT_AN_END, (blanks) => '[U+0020]'.repeat(blanks.length)),
    limit,
  )
}

/** As `visible`, for a mail: mail programs make a link of whatever looks like one, and a title could lead approvers astray. */
export function unlinked(text: string, limit = 160): string {
  return visible(text, limit)
    .replace(/:\/\//g, '[://]')
    .replace(/\bwww\./gi, '[www.]')
}

/** HTML text or attribute value. Hidden characters are made visible first. */
export function escaped(text: string, limit = 160): string {
  return escapeMarkup(visible(text, limit))
}

/** HTML text or attribute value of a text whose lines and length are kept, such as what the person typed. */
export function escapeMarkup(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.codePointAt(0)};`)
}

const FORMAT = /\p{Cf}|\p{Zl}|\p{Zp}|[\u007f-\u009f]/gu

/** JSON of the same meaning in which no character reorders or hides another: each of those as an escape. In other text, each as `\\u202e`. */
export function escapedFormat(json: string): string {
  const unit = (code: number) => `\\u${code.toString(16).padStart(4, '0')}`
  return json.replace(FORMAT, (character) =>
    character
      .split('')
      .map((half) => unit(half.charCodeAt(0)))
      .join(''),
  )
}

const MONTHS = ['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October', 'November', 'December']

/** `2026-11-28T13:04:57.968Z` → `28 November 2026, 13:04 UTC`; any other text stays as it is. */
export function moment(instant: string): string {
  const match = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}:\d{2})/.exec(instant)
  const month = MONTHS[Number(match?.[2]) - 1]
  return match === null || month === undefined ? instant : `${Number(match[3])} ${month} ${match[1]}, ${match[4]} UTC`
}
