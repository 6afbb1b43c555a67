import { WaybillError } from '../../core/errors.ts'

/** One column that a folder's name gives to every row below it; null for the name that writers give to NULL. */
export type Partition = { name: string; value: string | null }

/** What Hive, Spark and DuckDB call the folder of rows whose partition column is NULL. */
const NULL_FOLDER = '__HIVE_DEFAULT_PARTITION__'

/** Columns that the folders of a relative path name, outermost first. @throws NOT_REPRESENTABLE for a name that cannot be read back */
export function partitionsOf(path: string): Partition[] {
  const partitions = foldersOf(path).flatMap((folder) => {
    const at = folder.indexOf('=')
    if (at <= 0) return []
    const value = folder.slice(at + 1)
    return [{ name: unescaped(folder.slice(0, at)), value: value === NULL_FOLDER ? null : unescaped(value) }]
  })
  const names = partitions.map((partition) => partition.name.toLowerCase())
  const twice = partitions.find((_, index) => names.indexOf(names[index]!) !== index)
  if (twice === undefined) return partitions
  throw new WaybillError('NOT_REPRESENTABLE', `Two folders of one path both name the column ${shown(twice.name)}. Rename one of them.`)
}

/** `sales/year=2026/part-0.parquet` is one of the files of `sales/year=*` and below; a path without partitions is itself. */
export function partitionGlob(path: string): string {
  const folders = foldersOf(path)
  const first = folders.findIndex((folder) => folder.indexOf('=') > 0)
  if (first === -1) return path
  const wild = folders.slice(first).map((folder) => {
    const at = folder.indexOf('=')
    if (at <= 0) return folder
    if (/[*?[\]{}]/.test(folder.slice(0, at)))
      throw new WaybillError('NOT_REPRESENTABLE', 'The name of a partition folder holds one of * ? [ ] { }. Rename the folder.')
    return `${folder.slice(0, at)}=*`
  })
  return [...folders.slice(0, first), ...wild, `*${path.slice(path.lastIndexOf('.'))}`].join('/')
}

function foldersOf(path: string): string[] {
  return path.split('/').slice(0, -1)
}

/** `%2F` is the byte 2F; the bytes are UTF-8. A plus sign is a plus sign. */
function unescaped(text: string): string {
  if (!text.includes('%')) return text
  try {
    return decodeURIComponent(text)
  } catch {
    throw new WaybillError(
      'NOT_REPRESENTABLE',
      'The name of a partition folder holds a % that does not begin an escape such as %2F. Rename the folder.',
    )
  }
}

export function shown(name: string): string {
  return JSON.stringify(name.slice(0, 80))
}
