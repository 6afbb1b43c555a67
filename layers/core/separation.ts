import type { Role } from './schemas/common.ts'

/**
 * One spelling per mailbox owner: case folded, `+tag` and dots of the local part dropped, at every domain. Where dots do matter two
 * people may count as one; then a third is asked. The other mistake would let one person fill two roles.
 */
export function personOf(email: string): string {
  const folded = email.normalize('NFKC').trim().toLowerCase()
  const at = folded.lastIndexOf('@')
  const local = folded.slice(0, at).replace(/\+.*$/, '').replaceAll('.', '')
  const domain = folded.slice(at + 1).replace(/\.+$/, '')
  return `${local}@${domain === 'googlemail.com' ? 'gmail.com' : domain}`
}

/** True when two addresses belong, or may belong, to one person. */
export function samePerson(a: string, b: string): boolean {
  return personOf(a) === personOf(b)
}

/** A role that somebody must fill; `gate` keeps roles of different transitions apart. */
export type Seat = { gate: string; role: Role }
export type Sitting = Seat & { email: string }

/** More people in several roles than this and the first choice of each is taken: an answer must not take for ever. */
const MAX_CHOICES = 4096

/**
 * Seats that stay empty when every person keeps to one role, over all gates, and fills one seat per gate. People with several roles are
 * given the role that leaves the fewest seats empty.
 */
export function emptySeats(seats: readonly Seat[], sittings: readonly Sitting[]): Seat[] {
  const rolesOf = new Map<string, Role[]>()
  for (const sitting of sittings) {
    const person = personOf(sitting.email)
    const roles = rolesOf.get(person) ?? []
    if (!roles.includes(sitting.role)) rolesOf.set(person, [...roles, sitting.role])
  }
  const several = [...rolesOf].filter(([, roles]) => roles.length > 1)
  const choices = several.reduce((product, [, roles]) => Math.min(product * roles.length, MAX_CHOICES + 1), 1)
  let best: Seat[] | null = null
  for (let choice = 0; choice < (choices > MAX_CHOICES ? 1 : choices); choice++) {
    const chosen = new Map([...rolesOf].map(([person, roles]) => [person, roles[0]]))
    let rest = choice
    for (const [person, roles] of several) {
      chosen.set(person, roles[rest % roles.length])
      rest = Math.floor(rest / roles.length)
    }
    const empty = emptyUnder(seats, sittings, chosen)
    if (best === null || empty.length < best.length) best = empty
    if (best.length === 0) break
  }
  return best ?? [...seats]
}

function emptyUnder(seats: readonly Seat[], sittings: readonly Sitting[], chosen: ReadonlyMap<string, Role | undefined>): Seat[] {
  const taken = new Set<string>()
  return seats.filter(({ gate, role }) => {
    const sitting = sittings.find((candidate) => {
      const person = personOf(candidate.email)
      return candidate.gate === gate && candidate.role === role && chosen.get(person) === role && !taken.has(`${gate} ${person}`)
    })
    if (sitting === undefined) return true
    taken.add(`${gate} ${personOf(sitting.email)}`)
    return false
  })
}
