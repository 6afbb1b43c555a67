/** A piece of an expression as a server prints it. `name`: a quoted identifier or a column, `type` its column's type. */
export type Token = { kind: 'word' | 'name' | 'text' | 'number' | 'cast' | 'symbol'; text: string; type?: string }

const WORD = '[A-Za-z_\\u0080-\\uffff][\\w$\\u0080-\\uffff]*'
const QUOTED = '"(?:[^"]|"")+"'
const NAME = `(?:${QUOTED}|${WORD})`
const TYPE =
  `${NAME}(?:\\.${NAME})*(?: varying| precision)?(?:\\(\\d+(?:,-?\\d+)?\\))?(?: with(?:out)? time zone)?` +
  '(?:(?: (?:year|month|day|hour|minute|second|to)\\b)+(?:\\(\\d+\\))?)?(?:\\[\\])*'

const FORMS: readonly (readonly [Token['kind'] | 'space', RegExp])[] = [
  ['space', /\s+/y],
  ['text', /[EBX]'(?:[^'\\]|''|\\[\s\S])*'/y],
  ['text', /'(?:[^']|'')*'/y],
  ['cast', new RegExp(`::\\s*(?:${TYPE})`, 'y')],
  ['name', new RegExp(QUOTED, 'y')],
  ['number', /\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y],
  ['word', new RegExp(WORD, 'y')],
  ['symbol', /[()[\],.;]/y],
  ['symbol', /[-+*/<>=~!@#%^&|`?:]+/y],
  ['symbol', /[\s\S]/y],
]

/** Cuts an expression into tokens. Nothing is refused: what no rule knows is a symbol of one character. */
export function tokensOf(expression: string): Token[] {
  const tokens: Token[] = []
  for (let at = 0; at < expression.length; ) {
    for (const [kind, form] of FORMS) {
      form.lastIndex = at
      const text = form.exec(expression)?.[0]
      if (text === undefined) continue
      at += text.length
      if (kind === 'name') tokens.push({ kind, text: text.slice(1, -1).replaceAll('""', '"') })
      else if (kind === 'cast') tokens.push({ kind, text: text.slice(2).trim() })
      else if (kind !== 'space') tokens.push({ kind, text })
      break
    }
  }
  return tokens
}
