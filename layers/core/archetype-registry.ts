import { WaybillError } from './errors.ts'
import type { Archetype } from './schemas/policy.ts'
import type { MigrationSpec } from './schemas/spec.ts'
import { didYouMean } from './spec-hint.ts'

type Scope = Pick<MigrationSpec, 'archetype' | 'source' | 'target'>

const ADDING = 'docs/policy.md says how an archetype is added.'

/**
 * The archetype a spec's scope fits: the one it names, or the only one for its pair of systems.
 * @throws SPEC_INVALID when none fits, several do, or the named one does not; it names the nearest ones and how to add another
 */
export function chooseArchetype(spec: Scope, available: readonly Archetype[]): Archetype {
  const from = spec.source.system_type
  const to = spec.target.system_type
  const fits = available.filter((archetype) => reads(archetype, from) && writes(archetype, to))
  const others = ` It moves ${from} to ${to}. ${fits.length > 0 ? `Archetypes for that: ${ids(fits)}.` : nearest(spec, available)} ${ADDING}`

  if (spec.archetype !== undefined) {
    const named = available.find((archetype) => archetype.id === spec.archetype)
    if (named === undefined) {
      const meant = didYouMean(
        spec.archetype,
        available.map((archetype) => archetype.id),
      )
      throw refusal(
        `There is no archetype "${spec.archetype}".${meant === null ? '' : ` Did you mean "${meant}"?`}${others} All: ${ids(available)}.`,
      )
    }
    if (!fits.includes(named)) throw refusal(`The archetype "${named.id}" moves ${pair(named)}, and this spec does not.${others}`)
    return named
  }
  const [only, ...more] = fits
  if (only === undefined) throw refusal(`No archetype fits this spec.${others}`)
  if (more.length > 0) throw refusal(`Several archetypes move ${from} to ${to}: ${ids(fits)}. Name one under "archetype" in the spec.`)
  return only
}

/** What could be done instead, from the side that an archetype shares with the spec. */
function nearest(spec: Scope, available: readonly Archetype[]): string {
  const from = available.filter((archetype) => reads(archetype, spec.source.system_type))
  const to = available.filter((archetype) => writes(archetype, spec.target.system_type))
  const near = [...new Set([...from, ...to])].slice(0, 4)
  if (near.length === 0) return 'No archetype reads the one or writes the other.'
  return `Nearest: ${near.map((archetype) => `${archetype.id} (${pair(archetype)})`).join(', ')}.`
}

const reads = (archetype: Archetype, system: string) => archetype.source_system_types.includes(system)
const writes = (archetype: Archetype, system: string) => archetype.target_system_types.includes(system)
const pair = (archetype: Archetype) => `${archetype.source_system_types.join(' or ')} to ${archetype.target_system_types.join(' or ')}`
const ids = (archetypes: readonly Archetype[]) => archetypes.map((archetype) => archetype.id).join(', ') || 'none'

function refusal(message: string): WaybillError {
  return new WaybillError('SPEC_INVALID', message)
}
