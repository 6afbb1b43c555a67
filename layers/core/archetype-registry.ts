import { WaybillError } from './errors.ts'
import type { Archetype } from './schemas/policy.ts'
import type { MigrationSpec } from './schemas/spec.ts'

/**
 * The archetype a spec's scope fits: the one it names, or the only one for its pair of systems.
 * @throws SPEC_INVALID, naming what is available, when none fits, several do, or the named one does not
 */
export function chooseArchetype(spec: Pick<MigrationSpec, 'archetype' | 'source' | 'target'>, available: readonly Archetype[]): Archetype {
  const from = spec.source.system_type
  const to = spec.target.system_type
  const fits = available.filter((archetype) => archetype.source_system_types.includes(from) && archetype.target_system_types.includes(to))
  const ids = (archetypes: readonly Archetype[]) =>
    archetypes.length === 0 ? 'none' : archetypes.map((archetype) => archetype.id).join(', ')

  if (spec.archetype !== undefined) {
    const named = available.find((archetype) => archetype.id === spec.archetype)
    if (named === undefined) {
      throw new WaybillError('SPEC_INVALID', `There is no archetype "${spec.archetype}". Available: ${ids(available)}.`)
    }
    if (!fits.includes(named)) {
      throw new WaybillError(
        'SPEC_INVALID',
        `Archetype "${named.id}" moves ${named.source_system_types.join(' or ')} to ${named.target_system_types.join(' or ')}; this spec moves ${from} to ${to}. Archetypes for that: ${ids(fits)}.`,
      )
    }
    return named
  }
  const [only, ...others] = fits
  if (only === undefined) {
    const pairs = available.map((archetype) => `${archetype.source_system_types.join('/')} to ${archetype.target_system_types.join('/')}`)
    throw new WaybillError('SPEC_INVALID', `No archetype moves ${from} to ${to}. Available: ${pairs.join('; ') || 'none'}.`)
  }
  if (others.length > 0) {
    throw new WaybillError(
      'SPEC_INVALID',
      `Several archetypes move ${from} to ${to}: ${ids(fits)}. Name one under "archetype" in the spec.`,
    )
  }
  return only
}
