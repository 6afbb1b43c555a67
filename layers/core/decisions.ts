import { sha256 } from './digest.ts'

/** Why a column needs a person: its rule loses information, or it holds personal data that would arrive unmasked. */
export type DecisionKind = 'lossy' | 'pii'

/** The choice that takes the mapping as proposed. Any other choice changes the plan, so it never excuses what is proposed. */
export const ACCEPT = 'accept'

/**
 * The id of the manual decision about one target column, so that a spec can answer it beforehand: `lossy-flights-delay`.
 * Names that are not slugs get a digest instead of being mangled: two columns never share an id.
 */
export function decisionId(kind: DecisionKind, tableId: string, targetColumn: string): string {
  const plain = `${kind}-${tableId}-${targetColumn}`
  const unmistakable = /^[a-z0-9_]+$/.test(targetColumn) && plain.length <= 80
  return unmistakable ? plain : `${kind}-${sha256(`${tableId}\u0000${targetColumn}`).slice(0, 32)}`
}
