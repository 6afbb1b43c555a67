import { type DoctorLine, fail, ok, warn } from '../../../core/doctor.ts'
import { type Deployment, STACKS } from '../stacks.ts'

const SOUND = new Set(['CREATE_COMPLETE', 'UPDATE_COMPLETE', 'IMPORT_COMPLETE', 'UPDATE_COMPLETE_CLEANUP_IN_PROGRESS'])

/** All four stacks, whole, with every output the command line reads. */
export function stackLines({ name, stacks, missing }: Deployment): DoctorLine[] {
  const lines = STACKS.flatMap((part): DoctorLine[] => {
    const status = stacks[part]
    const stack = `${name}-${part}`
    if (status === null) return [fail('stacks', `The stack ${stack} is not there.`, `Deploy it: npx cdk deploy ${stack}`)]
    if (SOUND.has(status)) return []
    if (status.endsWith('_IN_PROGRESS') && !status.startsWith('DELETE'))
      return [warn('stacks', `The stack ${stack} is being changed (${status}).`, 'Wait until it is done, then look again.')]
    if (status === 'UPDATE_ROLLBACK_COMPLETE')
      return [warn('stacks', `The last change of ${stack} failed and was taken back.`, 'Read its events, then deploy again.')]
    return [fail('stacks', `The stack ${stack} is ${status}.`, 'Read its events in CloudFormation, mend what they say, then deploy again.')]
  })
  for (const what of missing)
    if (!what.endsWith('is not there')) lines.push(fail('stacks', `${what}.`, 'It was deployed by another version: deploy this one.'))
  return lines.length > 0 ? lines : [ok('stacks', `All four stacks of ${name} are complete.`)]
}
