import { WaybillError } from './errors.ts'

const FULL: ReadonlyMap<string, string> = new Map([
  ['ENOSPC', 'No space is left'],
  ['EDQUOT', 'The quota of this user is used up'],
])

/** `SQLITE_FULL`, in the lowest byte of what SQLite says; it names no file. A home's records are its only use here. */
const SQLITE_FULL = 13

/** A disk or quota without space as DISK_FULL, naming `place` where the error names no path; anything else as it is. */
export function fullDisk(error: unknown, place = 'what Waybill writes'): unknown {
  if (!(error instanceof Error) || error instanceof WaybillError) return error
  const { code, path, errcode } = error as NodeJS.ErrnoException & { errcode?: unknown }
  const ofHome = code === 'ERR_SQLITE_ERROR' && typeof errcode === 'number' && (errcode & 0xff) === SQLITE_FULL
  const what = FULL.get(ofHome ? 'ENOSPC' : (code ?? ''))
  if (what === undefined) return error
  const message = `${what} for ${ofHome ? "what Waybill's home records" : (path ?? place)} (${ofHome ? 'SQLITE_FULL' : code}). Make space, then run the same command again; a migration goes on with: waybill resume. Nothing unfinished was marked as done.`
  return new WaybillError('DISK_FULL', message, { cause: error })
}
