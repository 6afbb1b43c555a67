import { GetBucketPolicyCommand, GetBucketVersioningCommand, GetObjectLockConfigurationCommand } from '@aws-sdk/client-s3'
import { type DoctorLine, fail, ok } from '../../../core/doctor.ts'
import { sdkErrorName } from '../../sdk-errors.ts'
import { type Patient, putBack } from './place.ts'
import { covers, readPolicy } from './policy.ts'

const ABSENT = new Set(['ObjectLockConfigurationNotFoundError', 'NoSuchBucketPolicy', 'ObjectLockConfigurationNotFound'])

/** What is written stays: versions, a lock as long as the configuration says, and a policy that keeps writers from going round it. */
export async function evidenceLines({ session: { s3 }, deployment, outputs }: Patient): Promise<DoctorLine[]> {
  const { EvidenceBucketName: Bucket, EvidenceLock: mode, EvidenceDays: days } = outputs
  const absent = (error: unknown) => {
    if (ABSENT.has(sdkErrorName(error))) return null
    throw error
  }
  const [versioning, lock, policy] = await Promise.all([
    s3.send(new GetBucketVersioningCommand({ Bucket })),
    s3.send(new GetObjectLockConfigurationCommand({ Bucket })).catch(absent),
    s3.send(new GetBucketPolicyCommand({ Bucket })).catch(absent),
  ])
  const again = `${putBack(deployment, 'State')} Find out who changed the bucket.`
  const kept = lock?.ObjectLockConfiguration?.Rule?.DefaultRetention
  const keptDays = kept?.Days ?? (kept?.Years === undefined ? null : kept.Years * 365)
  const free = ['s3:PutObjectRetention', 's3:BypassGovernanceRetention'].filter(
    (action) =>
      !readPolicy(policy?.Policy).some(
        ({ effect, principals, actions, resources, conditional }) =>
          effect === 'Deny' &&
          !conditional &&
          principals.includes('*') &&
          actions.some((pattern) => covers(pattern, action)) &&
          resources.some((each) => each === '*' || each.endsWith(`:${Bucket}/*`)),
      ),
  )
  return [
    versioning.Status === 'Enabled'
      ? ok('versions', `The evidence bucket ${Bucket} keeps versions.`)
      : fail('versions', `The evidence bucket ${Bucket} does not keep versions (${versioning.Status ?? 'never switched on'}).`, again),
    keptDays === null
      ? fail('lock', 'The evidence bucket locks nothing: it has no default retention.', again)
      : kept?.Mode === mode && keptDays >= Number(days)
        ? ok('lock', `New evidence is locked for ${keptDays === 1 ? '1 day' : `${keptDays} days`} (${mode}), as deployed.`)
        : fail('lock', `New evidence is locked for ${keptDays} days (${kept?.Mode}); deployed was ${days} days (${mode}).`, again),
    free.length === 0
      ? ok('bucket-policy', 'Nobody may choose another retention for evidence, or go round it.')
      : fail('bucket-policy', `The bucket's policy does not deny ${free.join(' and ')} to everybody.`, again),
  ]
}
