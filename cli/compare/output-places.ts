import { realpathSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve, sep } from 'node:path'
import { WaybillError } from '../../layers/core/errors.ts'
import type { CompareRequest } from './request.ts'
import type { Side } from './side.ts'

/**
 * An output would replace what stands at its place: it must not be a file of a side, nor the place of another output.
 * @throws BAD_INPUT naming the option
 */
export function checkOutputPlaces({ files, source, target }: Pick<CompareRequest, 'files' | 'source' | 'target'>): void {
  const outputs = [
    ['--differences', files.differences],
    ['--junit', files.junit],
    ['--html', files.html],
    ['--repair-sql', files.repairSql],
    ['--state', files.state],
  ].filter((output): output is [string, string] => output[1] !== null)
  const taken = new Map<string, string>()
  for (const [option, path] of outputs) {
    const place = placeOf(path)
    const other = taken.get(place)
    if (other !== undefined) throw new WaybillError('BAD_INPUT', `${other} and ${option} name the same file, ${path}. Give each its own.`)
    taken.set(place, option)
    for (const side of [source, target])
      if (holds(side, place))
        throw new WaybillError(
          'BAD_INPUT',
          `${option}: ${path} is, or would be, a file of ${side.label}, and would replace data. Write it somewhere else.`,
        )
  }
}

/** Where a path leads through links, also when nothing is there yet. */
function placeOf(path: string): string {
  const whole = resolve(path)
  try {
    return realpathSync(whole)
  } catch {
    try {
      return join(realpathSync(dirname(whole)), basename(whole))
    } catch {
      return whole
    }
  }
}

/** True for the very file of a side, under any name, and for anything of its format below a folder or a pattern. */
function holds(side: Side, place: string): boolean {
  if (side.systemType === 'POSTGRESQL') return false
  const single = side.pattern === null || /[*?[{/]/.test(side.pattern) ? null : join(side.url, side.pattern)
  if (single !== null) return placeOf(single) === place || sameFile(single, place)
  const extensions = side.systemType === 'JSON' ? /\.(json|ndjson|jsonl)$/i : new RegExp(`\\.${side.systemType}$`, 'i')
  return extensions.test(place) && `${place}${sep}`.startsWith(`${placeOf(side.url)}${sep}`)
}

function sameFile(one: string, other: string): boolean {
  try {
    const [a, b] = [statSync(one), statSync(other)]
    return a.dev === b.dev && a.ino === b.ino
  } catch {
    return false
  }
}
