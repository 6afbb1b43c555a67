import { execFileSync } from 'node:child_process'
import { lstatSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { gunzipSync } from 'node:zlib'
import { DuckDBInstance } from '@duckdb/node-api'

/** Where a canary was found: the file, the form it had there, and which one it is. */
export type Sighting = { file: string; canary: string; form: string }

/** Ways in which a text is written down: as it is, escaped, encoded. */
function formsOf(canary: string): [form: string, text: string][] {
  const bytes = Buffer.from(canary, 'utf8')
  const hex = bytes.toString('hex')
  const base64 = [0, 1, 2].flatMap((shift) => {
    // Bytes before and after are unknown: only the characters that depend on the canary alone.
    const whole = Buffer.concat([Buffer.alloc(shift), bytes])
      .toString('base64')
      .replace(/=+$/, '')
    const certain = whole.slice(shift === 0 ? 0 : shift + 1, (bytes.length + shift) % 3 === 0 ? undefined : -1)
    return [certain, certain.replaceAll('+', '-').replaceAll('/', '_')]
  })
  const percent = encodeURIComponent(canary)
  const everyByte = [...bytes].map((byte) => `%${byte.toString(16).padStart(2, '0').toUpperCase()}`).join('')
  const json = JSON.stringify(canary).slice(1, -1)
  return [
    ['plain', canary],
    ['JSON', json],
    ['JSON in JSON', JSON.stringify(json).slice(1, -1)],
    ['JSON, ASCII only', json.replace(/[\u007f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)],
    ['URL', percent],
    ['URL, every byte', everyByte],
    ['form', new URLSearchParams({ a: canary }).toString().slice(2)],
    ['hex', hex],
    ['SQL string', canary.replaceAll("'", "''")],
    ...base64.map((text): [string, string] => ['base64', text]),
  ]
}

const unquotedPrintable = (text: string) =>
  Buffer.from(
    text.replace(/=\r?\n/g, '').replace(/=([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  ).toString('utf8')

const unescapedMarkup = (text: string) =>
  text
    .replace(/&#(\d+);/g, (_, code: string) => String.fromCodePoint(Math.min(Number(code), 0x10ffff)))
    .replace(/&#x([0-9a-f]+);/gi, (_, code: string) => String.fromCodePoint(Math.min(Number.parseInt(code, 16), 0x10ffff)))
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&amp;', '&')

/** Base64 of a mail's part is broken into lines; so is what a terminal or a header folds. */
const joined = (text: string) => text.replace(/\r?\n[ \t]?/g, '')
const joinedBySpace = (text: string) => text.replace(/\r?\n[ \t]*/g, ' ')

function readings(text: string): string[] {
  const views = [text, unquotedPrintable(text), unescapedMarkup(text), joined(text), joinedBySpace(text), joined(unquotedPrintable(text))]
  return [...new Set(views.flatMap((view) => [view, view.toLowerCase()]))]
}

/** Everything a file says, however it is packed. */
async function contentsOf(path: string): Promise<string[]> {
  const bytes = readFileSync(path)
  const texts = [bytes.toString('utf8'), bytes.toString('latin1'), bytes.toString('utf16le')]
  if (bytes.subarray(0, 15).toString() === 'SQLite format 3') texts.push(sqliteText(path))
  if (bytes.subarray(0, 4).toString() === 'PAR1') texts.push(await parquetText(path))
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) texts.push(gunzipSync(bytes).toString('utf8'))
  return texts
}

/** A long text lies on several pages; read as a table it is whole. */
function sqliteText(path: string): string {
  const db = new DatabaseSync(path, { readOnly: true })
  try {
    const tables = db
      .prepare("SELECT name FROM sqlite_master WHERE type = 'table'")
      .all()
      .map((row) => String(row.name))
    const rows = tables.flatMap((table) => db.prepare(`SELECT * FROM "${table.replaceAll('"', '""')}"`).all())
    return rows
      .flatMap((row) => Object.values(row))
      .map((value) => (value instanceof Uint8Array ? Buffer.from(value).toString('utf8') : String(value)))
      .join('\n')
  } finally {
    db.close()
  }
}

async function parquetText(path: string): Promise<string> {
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  try {
    const rows = await connection.runAndReadAll(`SELECT * FROM read_parquet('${path.replaceAll("'", "''")}')`)
    return JSON.stringify(rows.getRowsJson())
  } finally {
    connection.closeSync()
    instance.closeSync()
  }
}

/** Git keeps objects deflated; what they hold, and their names. */
function gitText(repository: string): string {
  const git = (...args: string[]) => execFileSync('git', ['--git-dir', repository, ...args], { maxBuffer: 1 << 30 }).toString('utf8')
  return git('cat-file', '--batch-all-objects', '--batch')
}

function filesUnder(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return filesUnder(path)
    return lstatSync(path).isFile() ? [path] : []
  })
}

const isRepository = (folder: string) => readdirSync(folder).includes('HEAD') && readdirSync(folder).includes('objects')

function repositoriesUnder(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(folder, entry.name))
    .flatMap((path) => (isRepository(path) ? [path] : repositoriesUnder(path)))
}

function sightingsIn(file: string, texts: readonly string[], canaries: Readonly<Record<string, string>>): Sighting[] {
  const views = texts.flatMap(readings)
  return Object.entries(canaries).flatMap(([canary, value]) =>
    formsOf(value)
      .filter(([form, text]) => views.some((view) => view.includes(text) || (form !== 'base64' && view.includes(text.toLowerCase()))))
      .map(([form]) => ({ file, canary, form })),
  )
}

/** Every canary in every file under a folder, in names too, and in every object of its Git repositories; `looked` is every file that was read. */
export async function sightings(
  folder: string,
  canaries: Readonly<Record<string, string>>,
): Promise<{ found: Sighting[]; looked: string[] }> {
  const found: Sighting[] = []
  const looked: string[] = []
  for (const path of filesUnder(folder)) {
    const file = relative(folder, path)
    looked.push(file)
    found.push(...sightingsIn(file, [file, ...(await contentsOf(path))], canaries))
  }
  for (const repository of repositoriesUnder(folder)) {
    const file = `${relative(folder, repository)} (objects)`
    looked.push(file)
    found.push(...sightingsIn(file, [gitText(repository)], canaries))
  }
  return { found, looked }
}
