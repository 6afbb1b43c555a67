import { statSync } from 'node:fs'
import { userInfo } from 'node:os'
import { basename, dirname } from 'node:path'
import { WaybillError } from '../../layers/core/errors.ts'
import { passwordFromFile } from './password-file.ts'

/** One side of a comparison. `url` may hold a password; `label` never does and is what every output shows. */
export type Side = {
  systemType: 'POSTGRESQL' | FileType
  url: string
  label: string
  /** Files only: the one file or glob meant; null for every file below the folder. */
  pattern: string | null
}

type FileType = 'PARQUET' | 'CSV' | 'JSON'
type Environment = Readonly<Record<string, string | undefined>>

export const SIDE_FORMS =
  'postgresql://user@host:5432/database, "host=… dbname=…", a database name, env://NAME, parquet:PATH, csv:PATH or json:PATH'

/** Query parameters libpq knows that are no connection facts of ours; anything else in the query is handed on as it is. */
const WORDS = {
  host: 'host',
  hostaddr: 'host',
  port: 'port',
  dbname: 'dbname',
  user: 'user',
  password: 'password',
  sslmode: 'sslmode',
} as const
type Word = (typeof WORDS)[keyof typeof WORDS]

/**
 * Reads what a person wrote for one side. What a connection string leaves out comes from PGHOST, PGPORT, PGDATABASE, PGUSER, PGPASSWORD and
 * PGSSLMODE, as with psql; a password may also come from ~/.pgpass. @throws BAD_INPUT, which never repeats the text: it may hold a password
 */
export function readSide(text: string, which: 'source' | 'target', env: Environment): Side {
  const named = /^env:\/\/([A-Za-z_][A-Za-z0-9_]*)$/.exec(text)
  if (named !== null) {
    const value = env[named[1]!]
    if (value === undefined || value === '') throw new WaybillError('BAD_INPUT', `The ${which} is in ${named[1]}, which is not set.`)
    if (value.startsWith('env://'))
      throw new WaybillError('BAD_INPUT', `${named[1]} points at another variable. Put the connection string there.`)
    return readSide(value, which, env)
  }
  const file = /^(parquet|csv|json):(.+)$/i.exec(text)
  if (file !== null) return fileSide(file[1]!.toUpperCase() as FileType, file[2]!)
  if (/^postgres(ql)?:\/\//i.test(text)) return postgresSide(fromUrl(text, which), env)
  if (/^\s*[a-z_]+\s*=/i.test(text)) return postgresSide(fromWords(text, which), env)
  if (/^[\w-]+$/.test(text)) return postgresSide({ dbname: text }, env)
  throw new WaybillError('BAD_INPUT', `The ${which} cannot be read. Write it as one of: ${SIDE_FORMS}.`)
}

type Connection = Partial<Record<Word, string>> & { query?: URLSearchParams }

function fromUrl(text: string, which: string): Connection {
  let url: URL
  try {
    url = new URL(text)
    const query = new URLSearchParams(url.search)
    const connection: Connection = { query }
    const take = (word: Word, value: string | null) => {
      if (value !== null && value !== '') connection[word] = value
    }
    take('host', decodeURIComponent(url.hostname).replace(/^\[(.*)\]$/, '$1'))
    take('port', url.port)
    take('user', decodeURIComponent(url.username))
    take('password', decodeURIComponent(url.password))
    take('dbname', decodeURIComponent(url.pathname.replace(/^\//, '')))
    for (const word of ['host', 'port', 'dbname', 'user', 'password', 'sslmode'] as const) {
      take(word, query.get(word))
      query.delete(word)
    }
    return connection
  } catch {
    throw new WaybillError(
      'BAD_INPUT',
      `The ${which} connection string cannot be read. Write postgresql://user@host:5432/database; in a password, write @ : / # ? % as %40 %3A %2F %23 %3F %25.`,
    )
  }
}

/** `host=db dbname='my db'`, as libpq reads it. */
function fromWords(text: string, which: string): Connection {
  const connection: Connection = {}
  const rest = text.replace(/\s*([a-z_]+)\s*=\s*('(?:[^'\\]|\\.)*'|(?:[^\s'\\]|\\.)*)\s*/gi, (_, word: string, raw: string) => {
    if (!Object.hasOwn(WORDS, word)) {
      const known = Object.keys(WORDS).join(', ')
      throw new WaybillError('BAD_INPUT', `The ${which} says "${word}", which is not understood here. Known: ${known}.`)
    }
    connection[WORDS[word as keyof typeof WORDS]] = raw.replace(/^'([\s\S]*)'$/, '$1').replace(/\\([\s\S])/g, '$1')
    return ''
  })
  if (rest !== '') throw new WaybillError('BAD_INPUT', `The ${which} cannot be read. Write it as one of: ${SIDE_FORMS}.`)
  return connection
}

function postgresSide(given: Connection, env: Environment): Side {
  const user = given.user ?? (env.PGUSER || userInfo().username)
  const host = given.host ?? (env.PGHOST || 'localhost')
  const port = given.port ?? (env.PGPORT || '5432')
  const database = given.dbname ?? (env.PGDATABASE || user)
  const password = given.password ?? (env.PGPASSWORD || passwordFromFile({ host, port, database, user }, env))
  const sslmode = given.sslmode ?? (env.PGSSLMODE || undefined)
  const query = new URLSearchParams(given.query)
  if (sslmode !== undefined) query.set('sslmode', sslmode)
  // A socket folder is no host name; drivers take it from the query.
  const socket = host.startsWith('/')
  if (socket) query.set('host', host)
  const credentials = `${encodeURIComponent(user)}${password === undefined ? '' : `:${encodeURIComponent(password)}`}`
  const place = socket ? 'localhost' : host.includes(':') ? `[${host}]` : encodeURIComponent(host)
  const tail = query.size === 0 ? '' : `?${query}`
  return {
    systemType: 'POSTGRESQL',
    url: `postgresql://${credentials}@${place}:${port}/${encodeURIComponent(database)}${tail}`,
    label: `${database} on ${host}:${port}`,
    pattern: null,
  }
}

function fileSide(systemType: FileType, path: string): Side {
  const label = `${systemType.toLowerCase()}:${path}`
  try {
    if (statSync(path).isDirectory()) return { systemType, url: path, label, pattern: null }
  } catch {
    // A glob, or missing: the connector says which.
  }
  const parts = path.split('/')
  const wild = parts.findIndex((part) => /[*?[{]|^[^=]+=/.test(part))
  if (wild === -1) return { systemType, url: dirname(path), label, pattern: basename(path) }
  // From the first folder on whose name is a pattern or a partition, `year=2026`, names are part of the data.
  const folder = parts.slice(0, wild).join('/')
  return { systemType, url: folder === '' ? (path.startsWith('/') ? '/' : '.') : folder, label, pattern: parts.slice(wild).join('/') }
}
