import { notLogged } from '../decision-log.ts'
import { sha256 } from '../digest.ts'
import type { Contents } from './contents.ts'
import type { KeysFound } from './keys.ts'

export function keysSay({ keys, local, pinned }: KeysFound): string {
  const held = local === 0 ? '' : ` ${local} of them lay on the machine that ran the migration.`
  return pinned
    ? `All ${keys.length} keys are ones you trust.${held}`
    : `Signatures were checked against the ${keys.length} keys in the pack itself: this shows that the pack is whole, not who signed it. Pin keys with --trust.${held}`
}

/** Says no more than the statements do: a link sent to an address shows who received it, not who opened it. */
export function gatesSay({ approvals, entries, replay }: Contents): string {
  const count = replay.gates.length
  if (count === 0) return 'No gate was passed, so none had to be opened.'
  const unknown = notLogged(
    approvals.map(({ bytes, predicate }) => ({ sha256: sha256(bytes), predicate })),
    entries,
  )
  const approved = approvals.filter(
    ({ predicate }) => predicate.decision === 'APPROVED' && replay.gates.includes(predicate.transition) && !unknown.includes(predicate),
  )
  const by = (...ways: string[]) =>
    [...new Set(approved.filter(({ predicate }) => ways.includes(predicate.identified_by)).map(({ predicate }) => predicate.approver))]
      .toSorted()
      .join(', ')
  const [mailed, identified] = [by('invited-address'), by('oidc', 'passkey')]
  const people = [
    ...(identified === '' ? [] : [`${identified}, who signed in`]),
    ...(mailed === '' ? [] : [`whoever held the links mailed to ${mailed}`]),
  ]
  return `The ${count} gates that were passed have the approvals the policy asks for; they were opened by ${people.join(' and by ')}.`
}

export function outcomeSays(status: string | undefined): string {
  if (status === undefined) return 'The project ended before an outcome was proven; there is none to recompute.'
  return `The outcome recomputes, every figure of it: the proof is ${status}.`
}
