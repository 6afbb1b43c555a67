import { open } from 'node:fs/promises'
import { WaybillError } from '../../core/errors.ts'

/** No header is longer than this. */
const MAX_HEADER_BYTES = 1024 * 1024

/**
 * The column names of a CSV file: its first record, by RFC 4180 and UTF-8, with or without a byte order mark. Read here and not guessed, because
 * a guess can take another character for the comma or the quote and read other values without a word.
 * @throws NOT_REPRESENTABLE when there is none
 */
export async function csvHeader(path: string): Promise<string[]> {
  const file = await open(path)
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_HEADER_BYTES), 0, MAX_HEADER_BYTES, 0)
    // Cut in the middle of a character, the last one is damaged, but then the header has not ended either.
    return firstRecord(new TextDecoder('utf-8').decode(buffer.subarray(0, bytesRead)))
  } finally {
    await file.close()
  }
}

function firstRecord(text: string): string[] {
  const refuse = (what: string): never => {
    throw new WaybillError(
      'NOT_REPRESENTABLE',
      `A CSV file ${what}. Give it a first line with the names of its columns, separated by commas.`,
    )
  }
  const names: string[] = []
  let at = 0
  for (;;) {
    let name = ''
    if (text[at] === '"') {
      const end = /^"((?:[^"]|"")*)"/.exec(text.slice(at))
      if (end === null) return refuse('has a header with a quote that does not end')
      name = end[1]!.replaceAll('""', '"')
      at += end[0].length
      if (at < text.length && !',\r\n'.includes(text[at]!)) return refuse('has a header with text behind a quote')
    } else {
      const end = /^[^,\r\n]*/.exec(text.slice(at))![0]
      if (end.includes('"')) return refuse('has a header with a quote in the middle of a name')
      name = end
      at += end.length
    }
    if (name === '') return refuse('has a column without a name, or no header')
    names.push(name)
    if (text[at] !== ',') break
    at++
  }
  if (at >= MAX_HEADER_BYTES) return refuse('has no end of its header')
  return names
}
