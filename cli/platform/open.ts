import { availableParallelism } from 'node:os'
import { examineHome } from '../../functions/local-doctor.ts'
import type { DoctorLine } from '../../layers/core/doctor.ts'
import type { MigrationSpec } from '../../layers/core/schemas/spec.ts'
import { interruption } from '../failure.ts'
import type { Terminal } from '../terminal.ts'
import { examineAccountOf, withAccount, withAccountRecords } from './account.ts'
import { withEmbedded, withHomeRecords } from './embedded.ts'
import type { PlaceOptions } from './options.ts'
import type { Platform, Records } from './platform.ts'

/** Where migrations run, as the options say; a home is prepared first. `--aws` is asked about in this file and nowhere else. */
export async function onPlatform<T>(
  terminal: Terminal,
  options: PlaceOptions,
  prepareHome: (home: string) => unknown,
  work: (platform: Platform) => Promise<T>,
  { pages = true }: { pages?: boolean } = {},
): Promise<T> {
  if (options.aws === true) {
    const signal = interruption(terminal, 'no longer watching')
    return withAccount(options, { terminal, signal }, work)
  }
  await prepareHome(options.home)
  const signal = interruption(terminal)
  return withEmbedded({ home: options.home, env: process.env, terminal, workers: availableParallelism(), pages, signal }, work)
}

export function onRecords<T>(options: PlaceOptions, work: (records: Records) => Promise<T>): Promise<T> {
  return options.aws === true ? withAccountRecords(options, work) : withHomeRecords(options.home, work)
}

/** What the doctor finds in a home, or in an account. */
export async function examinePlace(options: PlaceOptions, spec: MigrationSpec | null): Promise<{ name: string; lines: DoctorLine[] }> {
  if (options.aws === true) return examineAccountOf(options, spec)
  return { name: `Home ${options.home}`, lines: await examineHome({ home: options.home, env: process.env, spec }) }
}
