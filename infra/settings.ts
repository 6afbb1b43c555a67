import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './build.ts'

/**
 * An organisation's settings of a stage: `infra/settings.<stage>.json` where there is one, or the file of `-c settings=FILE`. `-c nightly=orders,ledger`
 * names the projects to reconcile every night in place of those of the file.
 * @throws Error when a named file cannot be read, or a file is no JSON
 */
export function settingsOf(
  stage: string,
  { file, nightly }: { file?: unknown; nightly?: unknown } = {},
  folder: string = join(ROOT, 'infra'),
): unknown {
  const path = typeof file === 'string' ? file : join(folder, `settings.${stage}.json`)
  if (typeof file === 'string' && !existsSync(path)) throw new Error(`There is no settings file ${path}.`)
  const settings = existsSync(path) ? parsed(path) : {}
  if (typeof nightly !== 'string' || typeof settings !== 'object' || settings === null) return settings
  const own = 'nightly' in settings && typeof settings.nightly === 'object' ? settings.nightly : {}
  return { ...settings, nightly: { ...own, projects: nightly.split(',').filter((project) => project !== '') } }
}

function parsed(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    throw new Error(`${path} is no JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
}
