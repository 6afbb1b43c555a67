import { readFileSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

type Connection = { host: string; port: string; database: string; user: string }

/**
 * The password that PGPASSFILE or ~/.pgpass holds for a connection: the first line `host:port:database:user:password` that fits, `*` fitting
 * anything, `\:` and `\\` standing for themselves. As with psql, a file that others may read is not used.
 */
export function passwordFromFile(connection: Connection, env: Readonly<Record<string, string | undefined>>): string | undefined {
  const path = env.PGPASSFILE || join(homedir(), '.pgpass')
  let text: string
  try {
    const facts = statSync(path)
    if (!facts.isFile() || (process.platform !== 'win32' && (facts.mode & 0o077) !== 0)) return undefined
    text = readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
  const host = connection.host.startsWith('/') ? 'localhost' : connection.host
  const wanted = [host, connection.port, connection.database, connection.user]
  for (const line of text.split(/\r?\n/)) {
    if (line === '' || line.startsWith('#')) continue
    const fields = fieldsOf(line)
    const fits = wanted.every((value, i) => fields[i] === '*' || fields[i] === value)
    if (fits && fields[4] !== undefined) return fields[4]
  }
  return undefined
}

function fieldsOf(line: string): string[] {
  const fields: string[] = []
  for (const match of line.matchAll(/((?:[^:\\]|\\[\s\S])*)(:|$)/g)) {
    fields.push(match[1]!.replace(/\\([\s\S])/g, '$1'))
    if (match[2] === '') break
  }
  return fields
}
