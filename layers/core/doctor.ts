/** One thing that `waybill doctor` looked at. `unknown`: it could not be looked at, which is never `ok`. */
export type DoctorLine = {
  /** Short and always the same, for `--json`: `sender`, `key-policy`. */
  check: string
  verdict: 'ok' | 'warn' | 'fail' | 'unknown'
  says: string
  /** What to do about it; null where nothing is to do. */
  remedy: string | null
}

export const ok = (check: string, says: string): DoctorLine => ({ check, verdict: 'ok', says, remedy: null })
export const warn = (check: string, says: string, remedy: string): DoctorLine => ({ check, verdict: 'warn', says, remedy })
export const fail = (check: string, says: string, remedy: string): DoctorLine => ({ check, verdict: 'fail', says, remedy })

/** Looks, and turns not being able to look into a line of its own: what failed, in a sentence, and nothing of what a library said. */
export async function looked(
  check: string,
  look: () => Promise<readonly DoctorLine[]>,
  why: (error: unknown) => string,
): Promise<DoctorLine[]> {
  try {
    return [...(await look())]
  } catch (error) {
    return [{ check, verdict: 'unknown', says: `${check} could not be looked at: ${why(error)}`, remedy: null }]
  }
}

/** Fails before it is undecided; warnings alone pass. */
export function overall(lines: readonly DoctorLine[]): 'pass' | 'fail' | 'undecided' {
  if (lines.some(({ verdict }) => verdict === 'fail')) return 'fail'
  return lines.some(({ verdict }) => verdict === 'unknown') ? 'undecided' : 'pass'
}
