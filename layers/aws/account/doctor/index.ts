import { type DoctorLine, looked } from '../../../core/doctor.ts'
import { isWaybillError } from '../../../core/errors.ts'
import { asSessionError, type Session } from '../session.ts'
import type { Deployment } from '../stacks.ts'
import { approvalsLines } from './approvals.ts'
import { evidenceLines } from './evidence.ts'
import { gitLines } from './git.ts'
import { keyLines } from './keys.ts'
import { mailLines } from './mail.ts'
import { networkLines } from './network.ts'
import type { Patient } from './place.ts'
import { imageLines, scheduleLines } from './running.ts'
import { secretLines } from './secrets.ts'
import { stackLines } from './stacks.ts'

/**
 * Looks at a deployment from outside, with the permissions of the person at the terminal, and changes nothing. `references`: the secrets a
 * spec leads to, where one is given. What could not be looked at has a line that says so.
 */
export async function examine(
  session: Session,
  deployment: Deployment,
  options: { references: Readonly<Record<'source' | 'target', string>> | null; fetch: typeof globalThis.fetch },
): Promise<DoctorLine[]> {
  const stacks = stackLines(deployment)
  if (deployment.outputs === null) return stacks
  const patient: Patient = { session, deployment, outputs: deployment.outputs }
  const { references, fetch } = options
  const looks: [string, () => Promise<DoctorLine[]>][] = [
    ['sender', () => mailLines(patient)],
    ['approvals', () => approvalsLines(patient, fetch)],
    ['endpoints', () => networkLines(patient)],
    ['versions', () => evidenceLines(patient)],
    ['key-policy', () => keyLines(patient)],
    ['image', () => imageLines(patient)],
    ['schedules', () => scheduleLines(patient)],
    ['git-token', () => gitLines(patient, fetch)],
    ...(references === null ? [] : [['secrets', () => secretLines(patient, references)] as [string, () => Promise<DoctorLine[]>]]),
  ]
  const lines = await Promise.all(looks.map(([check, look]) => looked(check, look, (error) => whyNot(error, session.region))))
  return [...stacks, ...lines.flat()]
}

/** A sentence of ours; of what is not AWS's, only that it happened. */
function whyNot(error: unknown, region: string): string {
  if (!isWaybillError(error) && !(error instanceof Error && '$metadata' in error)) return 'the answer was not understood.'
  return asSessionError(error, 'AWS', region).message
}
