import { type GatedTransition, gatedTransition, type Policy } from './schemas/policy.ts'
import { exceeds } from './tolerance/limit.ts'

/** A setting that is allowed and lets through what a careful reader would want to know of. */
export type Weakness = { field: string; says: string }

type Question = (policy: Policy) => Weakness | null

const weak = (field: string, holds: boolean, says: string): Weakness | null => (holds ? { field, says } : null)

const QUESTIONS: readonly Question[] = [
  (p) => aloneFor('PLANNED->EXECUTED', p, 'One person alone lets data move'),
  (p) => aloneFor('CUTOVER_READY->CUTOVER_DONE', p, 'One person alone decides that the old system is left'),
  (p) =>
    weak(
      'approvals',
      new Set(gatedTransition.options.flatMap((gate) => p.approvals[gate])).size < 3,
      'Fewer than three roles approve anything in the whole migration.',
    ),
  (p) =>
    weak(
      'asking.passkey_roles',
      (p.asking?.passkey_roles ?? []).length === 0,
      'No role needs a passkey: whoever can read the mail of an approver can approve in that name.',
    ),
  (p) =>
    weak('people', (p.people ?? []).length === 0, 'Whoever writes a spec names its approvers: nothing here says who may hold which role.'),
  (p) => tolerated('max_absolute', p, 'a number'),
  (p) => tolerated('max_relative', p, 'a number, as part of the larger value,'),
  (p) =>
    weak(
      'tolerances.max_time_ms',
      p.tolerances.max_time_ms > 0,
      `Times that differ by up to ${p.tolerances.max_time_ms} ms may be excused where a plan asks for it.`,
    ),
  (p) => weak('sampling.full_required', !p.sampling.full_required, 'A plan may compare a sample only: a row outside it can differ unseen.'),
  (p) =>
    weak(
      'encryption.require_tls_outside_loopback',
      !p.encryption.require_tls_outside_loopback,
      'Rows and passwords may cross the network unencrypted.',
    ),
  (p) =>
    weak('pii.mask_required', !p.pii.mask_required, 'Personal data may arrive in the target unmasked without anybody having accepted it.'),
  (p) =>
    weak(
      'pii.values_in_evidence',
      p.pii.values_in_evidence,
      'Values of rows stand in reports and evidence packs, which are kept and cannot be erased.',
    ),
  (p) =>
    weak('pii.name_fragments', p.pii.name_fragments.length === 0, 'No column name suggests personal data, so none is found by its name.'),
  (p) => weak('clean_runs_required', p.clean_runs_required === 0, 'The cutover needs no comparison after the first one.'),
  (p) =>
    weak(
      'plan_ttl_hours',
      p.plan_ttl_hours > 720,
      `A plan may be executed ${p.plan_ttl_hours} hours after it was made, when nobody remembers it.`,
    ),
  (p) => weak('approval_ttl_hours', p.approval_ttl_hours > 336, `A link in a mailbox decides for ${p.approval_ttl_hours} hours.`),
  (p) => weak('bps.critical', p.bps.critical > 0.5, `A breakdown point score below ${p.bps.critical} does not count as critical.`),
  (p) =>
    weak(
      'retention_days',
      p.retention_days < 30,
      `The evidence may be deleted after ${p.retention_days === 1 ? 'one day' : `${p.retention_days} days`}.`,
    ),
  (p) =>
    weak(
      'waivers',
      p.waivers !== undefined,
      `Somebody as ${p.waivers?.role} may waive findings of the ${p.waivers?.rules.join(' and the ')} for up to ${p.waivers?.max_days} days.`,
    ),
]

/** Weak settings of a policy, in words; the field is where it is changed. */
export function weaknessesOf(policy: Policy): Weakness[] {
  return QUESTIONS.flatMap((question) => question(policy) ?? [])
}

function aloneFor(gate: GatedTransition, { approvals }: Policy, says: string): Weakness | null {
  return weak(`approvals.${gate}`, approvals[gate].length < 2, `${says}: only ${approvals[gate].join(', ')} approves ${gate}.`)
}

function tolerated(name: 'max_absolute' | 'max_relative', { tolerances }: Policy, what: string): Weakness | null {
  return weak(
    `tolerances.${name}`,
    exceeds(tolerances[name], '0'),
    `${what[0]?.toUpperCase()}${what.slice(1)} that differs by up to ${tolerances[name]} may be excused where a plan asks for it.`,
  )
}
